"""Sources of the events on the bus, and types of callbacks."""

EVENT_SOURCE = "callmissed.events"
"""Source, on the bus, of the events that tenants subscribe to."""

CALLBACK_SOURCE = "callmissed.callbacks"
"""Source, on the bus, of verified callbacks from providers."""

WHATSAPP_CALLBACK = "callback.whatsapp"
"""Type of a callback with one message, status or change of WhatsApp."""

CASHFREE_CALLBACK = "callback.cashfree"
"""Type of a callback with one event of a payment, a refund or a dispute."""

OTHER_CALLBACKS = ("callback.twilio.voice", "callback.twilio.status")
"""Types of the callbacks that have no queue of their own."""
