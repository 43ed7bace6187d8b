"""Audio files: how long they are and where they may be cut, read from their frames and never from what they claim."""
