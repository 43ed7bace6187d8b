"""What a tenant can subscribe to, and what it allows."""
