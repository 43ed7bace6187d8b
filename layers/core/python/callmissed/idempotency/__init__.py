"""Requests with an `Idempotency-Key` run once; each repetition gets the same answer (docs/idempotency.md)."""
