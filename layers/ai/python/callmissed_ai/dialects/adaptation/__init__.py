"""What a provider needs beside its dialect: quirks of its API, media inline, and the names of fields in errors."""
