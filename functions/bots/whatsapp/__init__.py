"""The API of messages, media, numbers and onboarding at WhatsApp."""
