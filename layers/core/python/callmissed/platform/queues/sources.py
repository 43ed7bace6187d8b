"""Sources of the events on the bus."""

EVENT_SOURCE = "callmissed.events"
"""Source, on the bus, of the events that tenants subscribe to."""

CALLBACK_SOURCE = "callmissed.callbacks"
"""Source, on the bus, of verified callbacks from providers."""
