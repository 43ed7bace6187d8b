"""What the sandbox does beside text: it searches and draws."""
