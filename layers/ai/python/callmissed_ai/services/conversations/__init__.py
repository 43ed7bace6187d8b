"""A priced conversation in every dialect: what `chat`, `messages` and `responses` share."""
