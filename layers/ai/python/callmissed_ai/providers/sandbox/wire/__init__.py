"""The sandbox's reply as bytes: one JSON object, or server-sent events."""
