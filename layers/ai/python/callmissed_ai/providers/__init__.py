"""Providers: one module each, imported when a route first names it."""
