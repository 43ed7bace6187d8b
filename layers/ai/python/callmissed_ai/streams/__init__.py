"""Formats of streamed bodies."""
