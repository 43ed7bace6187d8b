"""`/_graph`: what people and tests do with the stand-in, which Graph itself does not have."""
