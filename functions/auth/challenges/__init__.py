"""What was sent to a person and waits for an answer: codes by mail."""
