"""Which key a request shows, and from where it comes."""

from starlette.requests import Request

from callmissed.errors import invalid_api_key
from callmissed.keys.domains import origin_host
from callmissed.keys.secret import is_well_formed


def presented_secret(request: Request) -> str:
    """The well-formed key in `Authorization: Bearer` or `x-api-key`. Raises ApiError 401.

    Two different keys in one request are refused: a proxy and the application would disagree on whose call it is.
    """
    shown = {value.strip() for value in request.headers.getlist("x-api-key") if value.strip()}
    for value in request.headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer":
            raise invalid_api_key("Send the API key as 'Authorization: Bearer cm_...'.")
        shown.add(token.strip())
    if not shown:
        raise invalid_api_key("No API key provided. Send it as 'Authorization: Bearer cm_...'.")
    if len(shown) > 1:
        raise invalid_api_key("The request carries more than one API key.")
    secret = shown.pop()
    if not is_well_formed(secret):
        raise invalid_api_key()
    return secret


def calling_host(request: Request) -> str | None:
    """Host of the page that calls, as the browser tells it."""
    return origin_host(request.headers.get("origin"), request.headers.get("referer"))
