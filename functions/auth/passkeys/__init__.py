"""Passkeys (WebAuthn): registered by a signed-in person, and a second factor from then on."""
