"""What a tenant's people see of billing at a glance: plan, limits, use of the month, and its forecast."""
