"""A route, who may call it, and the limits of all routes."""

from dataclasses import dataclass
from enum import StrEnum


class Auth(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    KEY = "key"
    """An API key, which the function itself admits together with the rate and the budget of the call."""
    ACCOUNT = "account"
    """An API key with the route's scope, or a signed-in person with one of the route's roles. The authorizer admits
    both before the function is called."""
    SESSION = "session"
    """A signed-in person with one of the route's roles, whom the authorizer admits. An API key is refused."""
    OPERATOR = "operator"
    """An operator with AWS credentials, whose signature (SigV4) and right to call the route API Gateway checks."""
    SIGNED = "signed"
    """A provider's signature over the body, which the function checks."""


class Role(StrEnum):
    """What a person may do in a tenant. A tenant has exactly one owner."""

    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"


ANY_ROLE = frozenset(Role)
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
OWNER_ONLY = frozenset({Role.OWNER})


class Permission(StrEnum):
    """An AI service that an API key may call."""

    LLM = "llm"
    STT = "stt"
    TTS = "tts"
    SEARCH = "search"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path. `{name}` matches a segment, `{name+}` the rest of the path, slashes included.

    `function` is the name of the function, which this module does not import: the core reads routes when it starts.
    `permission` is None where any active key is enough, or where the function decides by what is asked. `scope` is
    required of a key on an ACCOUNT route, and one of `roles` of a person there and on a SESSION route.
    `while_inactive` routes serve the owner of a tenant that the owner has deactivated. `streaming` routes use API
    Gateway's STREAM transfer mode, which all routes of a web app need and no others: `infra` rejects a table that
    breaks this rule.
    """

    method: str
    path: str
    function: str
    auth: Auth
    permission: Permission | None = None
    scope: str | None = None
    roles: frozenset[Role] = ANY_ROLE
    while_inactive: bool = False
    streaming: bool = False

    @property
    def has_authorizer(self) -> bool:
        """Whether the authorizer admits callers of the route."""
        return self.auth in (Auth.ACCOUNT, Auth.SESSION)

    @property
    def has_preflight(self) -> bool:
        """Whether OPTIONS is answered on the path: keys' domain locks do that, which the inference function knows."""
        return self.function == "inference" and self.auth in (Auth.KEY, Auth.PUBLIC)


REFUSAL_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After,X-Request-Id"}
"""Headers of API Gateway's own refusals, by which a page of any origin may read them: they are the same for everyone.
Keys are sent in a header, so no browser adds credentials of its own."""

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Maximum request body of a direct call; API Gateway and Lambda allow little more."""

STREAM_TIMEOUT_SECONDS = 900
"""Maximum duration of a streamed call, as API Gateway's STREAM mode and Lambda allow."""
