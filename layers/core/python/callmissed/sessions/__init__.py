"""Signed-in people: access tokens, sessions, and who calls."""
