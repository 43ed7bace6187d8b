"""Audio as bytes: its formats and their headers."""
