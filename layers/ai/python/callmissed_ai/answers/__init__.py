"""Where a call's bytes go."""
