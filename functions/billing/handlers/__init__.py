"""What Lambda calls: one module a function, by its name."""
