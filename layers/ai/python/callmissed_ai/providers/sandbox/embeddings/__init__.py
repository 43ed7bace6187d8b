"""The sandbox's embeddings: hashed n-grams, or a small model where one is installed."""
