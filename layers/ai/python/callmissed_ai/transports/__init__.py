"""Transports: how a request is sent to an upstream."""
