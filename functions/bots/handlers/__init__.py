"""The slice's functions: one entry a module."""
