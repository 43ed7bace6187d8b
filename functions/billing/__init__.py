"""Money off the hot path: the hold sweep and the nightly reconciliation."""
