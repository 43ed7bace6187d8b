"""Tenants: the organisations that own users, bots, keys and money."""
