"""Webhooks: subscriptions, and delivery of events from the outbox to tenants' endpoints."""
