"""The second factor: one-time codes of an authenticator app, backup codes, and the way back without either."""
