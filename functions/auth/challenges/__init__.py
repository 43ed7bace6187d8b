"""What a person was asked and has to answer: codes by mail, and challenges at a sign-in."""
