"""Plans: what a tenant can subscribe to, with the limits of each."""
