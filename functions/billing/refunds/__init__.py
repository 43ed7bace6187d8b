"""Money that goes back: surplus payments, refunds by operators or at the gateway, and lost disputes."""
