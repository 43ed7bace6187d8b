"""API keys: their secrets, their policy, and the one write that admits a call."""
