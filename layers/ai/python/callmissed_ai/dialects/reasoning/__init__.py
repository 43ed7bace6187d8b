"""Thoughts that return to their provider: what carries them, the turn that needs them, how much is thought."""
