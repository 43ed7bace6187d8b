"""What providers tell us: callbacks are verified, noted once in the outbox, and worked off from there."""
