"""A stage with keys, and requests as API Gateway tells the authorizer of them."""

from tests.integration.callmissed.keys.conftest import lone_vault, vault

__all__ = ["lone_vault", "vault"]
