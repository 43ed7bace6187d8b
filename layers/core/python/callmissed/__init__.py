"""The shared core of CallMissed: the only first-party package that every slice may import."""
