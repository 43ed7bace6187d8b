"""Fixtures of the auth slice."""

from tests.support.keys.fixtures import fresh_key_store, key_store

__all__ = ["fresh_key_store", "key_store"]
