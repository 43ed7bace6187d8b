"""What happens on the platform, told to whoever asked: event types and the outbox."""
