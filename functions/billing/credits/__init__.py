"""A tenant's credits: balance, packs and transactions."""
