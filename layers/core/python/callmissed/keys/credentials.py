"""Which key a request shows, and from where it comes."""

from collections.abc import Collection, Sequence

from callmissed.errors import ApiError, invalid_api_key
from callmissed.keys.domains import is_allowed, page_origin
from callmissed.keys.secret import PREFIXES, is_well_formed

Headers = Sequence[tuple[str, str]]
"""A request's headers in order, repeated ones repeated, names in lower case."""

_FOREIGN = "This API key is not one of this service: ours begin with 'cm_live_' or 'cm_test_'."
_MISTYPED = "This API key is mistyped or cut off: its checksum does not fit."
"""True of a text, whether or not there is such a key."""


def presented_secret(headers: Headers) -> str:
    """The well-formed key in `Authorization: Bearer` or `x-api-key`. Raises ApiError 401.

    Two different keys in one request are refused: a proxy and the application would disagree on whose call it is.
    """
    shown = {value.strip() for value in _values(headers, "x-api-key") if value.strip()}
    for value in _values(headers, "authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer":
            raise invalid_api_key("Send the API key as 'Authorization: Bearer cm_...'.")
        shown.add(token.strip())
    if not any(shown):
        raise invalid_api_key("No API key provided. Send it as 'Authorization: Bearer cm_...'.")
    if len(shown) > 1:
        raise invalid_api_key("The request carries more than one API key.")
    secret = shown.pop()
    if not is_well_formed(secret):
        raise invalid_api_key(_MISTYPED if secret.startswith(PREFIXES) else _FOREIGN)
    return secret


def bearer_token(headers: Headers) -> str | None:
    """The access token in `Authorization: Bearer`, if there is one; a key beside it is refused with ApiError 401."""
    shown = [value.partition(" ") for value in _values(headers, "authorization")]
    tokens = [secret.strip() for scheme, _, secret in shown if _is_token(scheme, secret.strip())]
    if not tokens:
        return None
    if len(shown) > 1 or _values(headers, "x-api-key"):
        raise invalid_api_key("The request carries several credentials.")
    return tokens[0]


def _is_token(scheme: str, secret: str) -> bool:
    """Whether `secret` has the form of a JWT, which no API key has."""
    return scheme.lower() == "bearer" and secret.startswith("ey") and secret.count(".") == 2


def calling_origin(headers: Headers) -> str | None:
    """Origin of the calling page, from the browser's headers; None for several, which no browser sends."""
    origin, referer = (_values(headers, name) or [None] for name in ("origin", "referer"))
    if len(origin) > 1 or len(referer) > 1:
        return None
    return page_origin(origin[0], referer[0])


def check_domain(locks: Collection[str], headers: Headers) -> None:
    """Hold a call to the key's domain locks. Raises ApiError 403 for a page from elsewhere."""
    check_origin(locks, calling_origin(headers))


def check_origin(locks: Collection[str], origin: str | None) -> None:
    """As `check_domain`, for a page of `origin`, or for no page."""
    if not is_allowed(locks, origin):
        raise ApiError(403, "domain_not_allowed", "This API key is locked to other domains.")


def _values(headers: Headers, name: str) -> list[str]:
    return [value for each, value in headers if each == name]
