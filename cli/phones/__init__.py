"""A chat with the stand-in for WhatsApp in the terminal."""
