"""A stand-in for Meta's Graph API, as far as the WhatsApp Cloud API needs it, with the phones of its users.

https://developers.facebook.com/documentation/business-messaging/whatsapp. Written from the documented shapes: bodies,
errors with their HTTP status, signed callbacks. `fake.FakeGraph` is the entry.
"""
