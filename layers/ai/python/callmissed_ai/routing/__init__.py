"""Finding an upstream that answers."""
