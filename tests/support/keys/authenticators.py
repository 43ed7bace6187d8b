"""Authenticators of the authorizer, for tests of keys."""

from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.sessions.authenticate import PersonAuthenticator
from callmissed.sessions.tokens import AccessTokens
from functions.auth.authorizer import Authenticators


def only_keys(keys: KeyAuthenticator) -> Authenticators:
    """Authenticators of a test in which nobody is signed in."""
    return Authenticators(keys, lambda: PersonAuthenticator(keys._database, AccessTokens((bytes(32),), "test")))
