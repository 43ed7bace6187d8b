"""Dependencies that the functions of this slice share: settings, tables and the cache of keys."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from callmissed.aws.database import Database
from callmissed.aws.queues import SqsQueue
from callmissed.aws.secrets import pepper_ring
from callmissed.keys.admission import Admission
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.platform.queues import MAILS
from callmissed.settings import CoreSettings, from_environment
from functions.auth.authorizer import Authenticators

if TYPE_CHECKING:
    from callmissed.sessions.authenticate import PersonAuthenticator
    from callmissed.sessions.tokens import AccessTokens


@dataclass(frozen=True)
class AuthComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    settings: CoreSettings

    @cached_property
    def database(self) -> Database:
        """The tables of the stage."""
        return Database.connect(self.settings)

    @cached_property
    def mails(self) -> SqsQueue:
        """The queue of mails."""
        return SqsQueue(self.settings, MAILS)

    @cached_property
    def keys(self) -> KeyAuthenticator:
        """Admits API keys. Raises ValueError without a pepper."""
        return KeyAuthenticator(self.database, Admission(self.database), pepper_ring(self.settings))

    @cached_property
    def tokens(self) -> "AccessTokens":
        """Issues and verifies access tokens. Raises ValueError without a pepper."""
        from callmissed.sessions.tokens import AccessTokens  # imports PyJWT, which a key's call does not need

        return AccessTokens(pepper_ring(self.settings), self.settings.stage)

    @cached_property
    def people(self) -> "PersonAuthenticator":
        """Finds the person of an access token. Raises ValueError without a pepper."""
        from callmissed.sessions.authenticate import PersonAuthenticator  # as above

        return PersonAuthenticator(self.database, self.tokens)

    @cached_property
    def authenticators(self) -> Authenticators:
        """Finds callers, for the authorizer. Raises ValueError without a pepper."""
        return Authenticators(self.keys, lambda: self.people)


def compose(settings: CoreSettings | None = None) -> AuthComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return AuthComposition(settings or from_environment())


@cache
def composed() -> AuthComposition:
    """The dependencies of this process, made at its first invocation."""
    return compose()
