"""The bots slice's routes: bots, WhatsApp's numbers and messages, conversations and hand-offs."""

from callmissed.platform.routes.route import ANY_ROLE, MANAGERS, Auth, Role, Route

_BOT = "/api/v1/bots/{bot_id}"
_WHATSAPP = "/api/v1/whatsapp"
_CONVERSATIONS, _HANDOFFS = "/api/v1/conversations", "/api/v1/handoffs"
_CONVERSATION = f"{_CONVERSATIONS}/{{conversation_id}}"


def _route(method: str, path: str, scope: str, roles: frozenset[Role] = ANY_ROLE) -> Route:
    return Route(method, path, "bots", Auth.ACCOUNT, scope=scope, roles=roles)


def _bots(method: str, path: str) -> Route:
    return _route(method, path, "bots:write", MANAGERS)


def _whatsapp(method: str, path: str) -> Route:
    return _route(method, path, "whatsapp:write", MANAGERS)


def _reads(method: str, path: str) -> Route:
    return _route(method, path, "conversations:read")


def _writes(method: str, path: str) -> Route:
    return _route(method, path, "conversations:write")


def _messages(method: str, path: str, scope: str = "whatsapp:send") -> Route:
    return _route(method, f"{_WHATSAPP}{path}", scope)


ROUTES: tuple[Route, ...] = (
    _route("GET", "/api/v1/bots", "bots:read"),
    _bots("POST", "/api/v1/bots"),
    _route("GET", "/api/v1/bots/config-schema", "bots:read"),
    _route("POST", "/api/v1/bots/validate-config", "bots:read"),
    _route("GET", _BOT, "bots:read"),
    _bots("PUT", _BOT),
    _bots("DELETE", _BOT),
    _bots("POST", f"{_BOT}/toggle"),
    _bots("POST", f"{_BOT}/deploy/verify"),
    _whatsapp("POST", f"{_WHATSAPP}/onboarding/manual"),
    _whatsapp("POST", f"{_WHATSAPP}/onboarding/exchange"),
    _route("GET", f"{_WHATSAPP}/accounts", "whatsapp:read"),
    _route("GET", f"{_WHATSAPP}/phone_numbers", "whatsapp:read"),
    _whatsapp("POST", f"{_WHATSAPP}/phone_numbers/{{phone_id}}/link-bot"),
    _whatsapp("POST", f"{_WHATSAPP}/phone_numbers/{{phone_id}}/autoreply"),
    _reads("GET", _CONVERSATIONS),
    _reads("GET", f"{_CONVERSATIONS}/search"),
    _reads("GET", f"{_CONVERSATIONS}/changes"),
    _reads("GET", _CONVERSATION),
    _writes("PATCH", _CONVERSATION),
    _reads("GET", f"{_CONVERSATION}/messages"),
    _reads("GET", f"{_CONVERSATION}/turns"),
    _writes("PUT", f"{_CONVERSATION}/status"),
    _writes("POST", f"{_CONVERSATION}/autoreply"),
    _writes("POST", f"{_CONVERSATION}/read"),
    _writes("POST", f"{_CONVERSATION}/unread"),
    Route(
        "POST",
        f"{_CONVERSATION}/ai-draft",
        "conversation-drafts",
        Auth.ACCOUNT,
        scope="conversations:write",
    ),
    _reads("GET", _HANDOFFS),
    _reads("GET", f"{_HANDOFFS}/count"),
    _writes("POST", f"{_HANDOFFS}/{{conversation_id}}/assign"),
    _writes("POST", f"{_HANDOFFS}/{{conversation_id}}/resolve"),
    _messages("POST", "/messages"),
    _messages("POST", "/messages/media"),
    _messages("POST", "/messages/interactive"),
    _messages("POST", "/messages/reaction"),
    _messages("POST", "/messages/location"),
    _messages("POST", "/messages/contacts"),
    _messages("GET", "/messages/{wamid}", "whatsapp:read"),
    _messages("POST", "/messages/{wamid}/read"),
    _messages("POST", "/media"),
    _messages("GET", "/media/{media_id}", "whatsapp:read"),
    _messages("GET", "/media/{media_id}/content", "whatsapp:read"),
)
