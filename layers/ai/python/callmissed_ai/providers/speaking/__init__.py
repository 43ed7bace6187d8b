"""What providers that speak have in common."""
