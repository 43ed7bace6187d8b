"""What operators do to tenants, over HTTP: with AWS credentials, a reason, and a row in the tenant's audit log."""
