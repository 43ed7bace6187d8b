"""Bots: what a tenant configures, and its checks."""
