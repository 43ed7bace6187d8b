"""A tenant's own accounts at WhatsApp and Twilio, and the credentials with which we use them."""
