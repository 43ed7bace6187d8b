"""Stored responses: each with the conversation that it ended, so that a call can continue it after one read."""
