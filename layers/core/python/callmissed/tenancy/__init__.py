"""Tenants: what a plan allows, and the records of tenants and their keys."""
