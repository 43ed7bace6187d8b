"""A tenant's accounts at other providers, as people connect them."""
