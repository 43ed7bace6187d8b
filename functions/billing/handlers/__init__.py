"""Lambda handlers: one module per function, with the function's name."""
