"""Preferences of callers about providers: the field of a request, and what it means."""
