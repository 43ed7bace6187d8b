"""Callbacks of providers: verified, stored once in the outbox, and processed from there."""
