"""Route tables larger than the product's own, as data."""

from callmissed.platform.functions import (
    AUTH_API,
    BILLING_API,
    BOTS_API,
    CALLBACKS_API,
    CONVERSATION_DRAFTS,
    INFERENCE,
    WEBHOOKS_API,
)
from callmissed.platform.routes import Auth, Route
from callmissed.platform.routes.route import MANAGERS

_METHODS = (
    ("GET", ""),
    ("POST", ""),
    ("GET", "/{item_id}"),
    ("PUT", "/{item_id}"),
    ("DELETE", "/{item_id}"),
    ("POST", "/{item_id}/test"),
    ("GET", "/{item_id}/history"),
)


def collections(count: int) -> tuple[Route, ...]:
    """Seven routes on four API resources for each of `count` collections, spread over the functions with routes."""
    return tuple(_route(number, method, rest) for number in range(count) for method, rest in _METHODS)


def _route(number: int, method: str, rest: str) -> Route:
    path = f"collection-{number}{rest}"
    if number % 3 == 0:
        return Route(method, f"/v1/{path}", INFERENCE.name, Auth.KEY, streaming=True)
    if number % 3 == 1:
        return Route(method, f"/api/v1/{path}", WEBHOOKS_API.name, Auth.ACCOUNT, scope="webhooks:write")
    if number % 6 == 2:
        return Route(method, f"/api/v1/{path}", AUTH_API.name, Auth.SESSION, roles=MANAGERS)
    if number % 12 == 5:
        return Route(method, f"/api/v1/{path}", BOTS_API.name, Auth.ACCOUNT, scope="bots:write")
    if number % 12 == 11 and rest == "":
        return Route(method, f"/api/v1/{path}", CONVERSATION_DRAFTS.name, Auth.ACCOUNT, scope="conversations:write")
    if number % 12 == 11 and rest.endswith("/history"):
        return Route(method, f"/api/v1/{path}", BILLING_API.name, Auth.SESSION, roles=MANAGERS)
    return Route(method, f"/api/v1/{path}", CALLBACKS_API.name, Auth.SIGNED)


LARGE_TABLE = collections(38)[:260]
"""260 routes, about as many as the whole product has."""
