"""Clients for AWS services."""
