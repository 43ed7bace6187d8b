"""Checks of a deployed stage: what is missing, and the command that mends it."""
