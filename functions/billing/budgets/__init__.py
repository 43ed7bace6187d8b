"""A tenant's monthly budget."""
