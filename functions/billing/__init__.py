"""Billing outside calls: the hold sweep, the nightly reconciliation, and events about thresholds."""
