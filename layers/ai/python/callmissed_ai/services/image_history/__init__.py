"""Images that were drawn: their bytes in S3, and a record of each, by the key that asked for them."""
