"""Purchase orders, their payments at the gateway, and what they grant."""
