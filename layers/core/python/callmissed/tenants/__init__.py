"""Tenants: the organisations to whom everything belongs."""
