"""The audit log: who changed what in a tenant."""
