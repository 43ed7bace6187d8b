"""Media at Meta: upload, description and content."""
