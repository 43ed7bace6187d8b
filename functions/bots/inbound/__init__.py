"""Inbound: stored callbacks become messages, statuses and events."""
