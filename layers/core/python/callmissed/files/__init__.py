"""Files of tenants: their records, their bytes in S3, and the tenant's storage allowance (docs/files.md)."""
