"""HTTP to addresses that users choose: rules for URLs and addresses, and the client that enforces them."""
