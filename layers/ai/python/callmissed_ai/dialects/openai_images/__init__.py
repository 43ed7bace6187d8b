"""The images dialect: OpenAI's request and reply, with fields of our own."""
