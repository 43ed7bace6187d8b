"""HTTP to addresses that users choose: which URLs and addresses are fit for it, and the client that holds to them."""
