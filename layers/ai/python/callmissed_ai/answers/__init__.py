"""Answers: forms in which a call's reply reaches its caller."""
