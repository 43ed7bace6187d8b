"""Routing: choice of the upstream for a call."""
