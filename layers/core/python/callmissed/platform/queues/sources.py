"""Sources of the events on the bus, and types of callbacks."""

EVENT_SOURCE = "callmissed.events"
"""Source, on the bus, of the events that tenants subscribe to."""

CALLBACK_SOURCE = "callmissed.callbacks"
"""Source, on the bus, of verified callbacks from providers."""

WHATSAPP_CALLBACK = "callback.whatsapp"
"""Type of a callback with one message, status or change of WhatsApp."""

OTHER_CALLBACKS = ("callback.twilio.voice", "callback.twilio.status", "callback.cashfree")
"""Types of the callbacks that have no queue of their own."""
