"""Coupons: codes of the operator's that add credits."""
