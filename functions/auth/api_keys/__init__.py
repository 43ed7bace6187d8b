"""API keys, as people manage them."""
