"""What a provider needs beside its dialect: quirks of its API, and media inline. And what fields are called in errors."""
