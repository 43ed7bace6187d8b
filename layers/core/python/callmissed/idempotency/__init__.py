"""Requests with an `Idempotency-Key`: run once, answered as often as they are sent (docs/idempotency.md)."""
