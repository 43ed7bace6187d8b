"""Prices of models: what a new providers file would change, and its import."""
