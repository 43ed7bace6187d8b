"""Rotation of secrets and of peppers: keys that get another hot item."""
