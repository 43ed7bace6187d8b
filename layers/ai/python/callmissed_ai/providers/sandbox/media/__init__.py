"""What the sandbox does beside text: it searches, listens, speaks and draws."""
