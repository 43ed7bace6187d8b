"""Subscriptions: which plan a tenant has until when, and how a change of the plan reaches everything that names it."""
