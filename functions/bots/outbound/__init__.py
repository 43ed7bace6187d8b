"""Outbound: a message is written before it is sent, sent once, and settled."""
