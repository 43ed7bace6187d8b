"""Authenticators of the authorizer, for tests of keys."""

from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.sessions.authenticate import PersonAuthenticator
from functions.auth.authorizer import Authenticators


def only_keys(keys: KeyAuthenticator) -> Authenticators:
    """Authenticators of a test in which no person calls."""
    return Authenticators(keys, _nobody)


def _nobody() -> PersonAuthenticator:
    raise AssertionError("a person calls")
