"""A tenant's people: invitations, roles, and who owns the tenant."""
