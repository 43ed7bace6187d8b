"""Bots: their configuration, their answers to messages, and the conversations that these make."""
