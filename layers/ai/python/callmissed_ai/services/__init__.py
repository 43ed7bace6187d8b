"""The billed services, one module each."""
