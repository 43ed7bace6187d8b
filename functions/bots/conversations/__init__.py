"""Conversations of end users with a tenant: their records, and what people do with them."""
