"""Commands of credits, coupons and payments."""
