"""Sessions: their refresh tokens, and the list of a person's sessions."""
