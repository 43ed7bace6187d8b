"""The authorizer of `/api/v1`, and the expiry of API keys."""
