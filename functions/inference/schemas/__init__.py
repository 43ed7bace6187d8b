"""API models of the answers of `/v1`, one module a service."""
