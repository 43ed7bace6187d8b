"""Accounts: sign-in, sessions, keys and the audit log; the authorizer of `/api/v1`, and the expiry of API keys."""
