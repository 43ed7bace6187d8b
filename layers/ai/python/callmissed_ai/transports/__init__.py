"""Ways of sending one request to an upstream."""
