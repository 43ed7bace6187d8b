"""What the slices' web applications share: callers, refusals, the frame around a request."""
