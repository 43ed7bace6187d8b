"""The API of conversations for people: lists, search, labels, hand-offs, drafts."""
