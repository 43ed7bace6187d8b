"""Who is calling: the authorizer of `/api/v1`, and keys that expire."""
