"""Web search as a billed service."""
