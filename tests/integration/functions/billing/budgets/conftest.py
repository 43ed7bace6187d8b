"""The product of one module's tests, at a moment that tests set."""

from tests.support.product_fixtures import clock, owner, product

__all__ = ["clock", "owner", "product"]
