"""The route table: every public path with the function that serves it and what a caller must show.

`infra` builds API Gateway's OpenAPI document from it, the desk's gateway dispatches by it, and the
tenant-isolation test walks it, so a route that is not here does not exist anywhere.
"""

from dataclasses import dataclass
from enum import StrEnum


class Auth(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    KEY = "key"
    """An API key, which the function itself admits together with the rate and the budget of the call."""
    ACCOUNT = "account"
    """An API key with the route's scope, which the authorizer admits before the function is called."""
    SIGNED = "signed"
    """A provider's signature over the body, which the function checks."""


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

    `permission` is None where any active key will do; `scope` is what a key needs on an ACCOUNT route. `streaming`
    routes use API Gateway's STREAM transfer mode, which all routes of a web app need and no others: `infra` refuses
    a table that says otherwise.
    """

    method: str
    path: str
    function: str
    auth: Auth
    permission: Permission | None = None
    scope: str | None = None
    streaming: bool = False

    @property
    def has_preflight(self) -> bool:
        """Whether OPTIONS is answered on the path: keys' domain locks do that, which the inference function knows."""
        return self.function == "inference" and self.auth in (Auth.KEY, Auth.PUBLIC)


_WEBHOOK = "/api/v1/webhooks/{webhook_id}"


def _webhooks(method: str, path: str) -> Route:
    return Route(method, path, "webhooks", Auth.ACCOUNT, scope="webhooks:write")


ROUTES = (
    Route("POST", "/v1/chat/completions", "inference", Auth.KEY, Permission.LLM, streaming=True),
    Route("POST", "/v1/embeddings", "inference", Auth.KEY, Permission.LLM, streaming=True),
    Route("GET", "/v1/models", "inference", Auth.KEY, streaming=True),
    Route("GET", "/v1/models/{model_id+}", "inference", Auth.KEY, streaming=True),
    Route("GET", "/v1/generation", "inference", Auth.KEY, streaming=True),
    Route("GET", "/api/v1/models", "inference", Auth.PUBLIC, streaming=True),
    Route("GET", "/api/v1/models/access", "inference", Auth.PUBLIC, streaming=True),
    Route("GET", "/api/v1/models/{model_id+}", "inference", Auth.PUBLIC, streaming=True),
    Route("GET", "/api/v1/webhooks/whatsapp", "callbacks", Auth.SIGNED),
    Route("POST", "/api/v1/webhooks/whatsapp", "callbacks", Auth.SIGNED),
    Route("POST", "/api/v1/webhooks/twilio/voice", "callbacks", Auth.SIGNED),
    Route("POST", "/api/v1/webhooks/twilio/status", "callbacks", Auth.SIGNED),
    Route("POST", "/api/v1/payments/webhook", "callbacks", Auth.SIGNED),
    Route("GET", "/api/v1/webhooks/event-types", "webhooks", Auth.PUBLIC),
    _webhooks("GET", "/api/v1/webhooks"),
    _webhooks("POST", "/api/v1/webhooks"),
    _webhooks("GET", _WEBHOOK),
    _webhooks("PUT", _WEBHOOK),
    _webhooks("DELETE", _WEBHOOK),
    _webhooks("POST", f"{_WEBHOOK}/test"),
    _webhooks("POST", f"{_WEBHOOK}/rotate"),
    _webhooks("GET", f"{_WEBHOOK}/deliveries"),
    _webhooks("GET", f"{_WEBHOOK}/deliveries/{{delivery_id}}"),
    _webhooks("POST", f"{_WEBHOOK}/deliveries/{{delivery_id}}/replay"),
    _webhooks("POST", f"{_WEBHOOK}/replays"),
    _webhooks("GET", f"{_WEBHOOK}/replays/{{replay_id}}"),
    _webhooks("POST", f"{_WEBHOOK}/recover"),
)

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest request body of a direct call; API Gateway and Lambda allow little more."""

STREAM_TIMEOUT_SECONDS = 900
"""A streamed call's longest life, the longest that API Gateway's STREAM mode and Lambda allow."""
