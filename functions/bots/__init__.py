"""Bots: not built yet. The import rules already hold it apart from the other slices."""
