"""Webhooks: subscriptions, and the way of an event from the outbox to a tenant's endpoint."""
