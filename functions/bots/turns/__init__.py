"""Turns: a bot answers the messages of one conversation, one turn at a time."""
