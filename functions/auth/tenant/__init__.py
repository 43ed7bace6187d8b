"""The tenant itself: name and settings, what it uses, and whether it is served."""
