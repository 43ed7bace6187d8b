"""Events of the platform, published to subscribers: event types and the outbox."""
