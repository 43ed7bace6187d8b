"""What Anthropic demands of a request, and other dialects do not."""
