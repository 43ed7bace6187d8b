"""What the slices' web applications share: callers, exception handlers, the context of a request."""
