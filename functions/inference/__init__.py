"""The `/v1` gateway: admission, hold, upstream, settlement."""
