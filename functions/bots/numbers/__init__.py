"""A tenant's accounts and phone numbers at WhatsApp."""
