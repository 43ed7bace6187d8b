"""Stand-ins for services that the product calls, on loopback, for the local stack and for tests."""
