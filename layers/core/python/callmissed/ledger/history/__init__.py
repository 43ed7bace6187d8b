"""The history of a tenant's credits: entries with the balance after each, and sums by type."""
