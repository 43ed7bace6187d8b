"""The billing slice's routes: credits, budgets and payments."""

from callmissed.platform.routes.route import ANY_ROLE, MANAGERS, Auth, Role, Route

_CREDITS = "/api/v1/credits"
_PAYMENTS = "/api/v1/payments"
_COUPONS = "/api/v1/admin/coupons"
_PRICES = "/api/v1/admin/prices"


def _session(method: str, path: str, roles: frozenset[Role] = ANY_ROLE) -> Route:
    return Route(method, path, "billing", Auth.SESSION, roles=roles)


ROUTES = (
    _session("GET", "/api/v1/tenants/me/billing"),
    Route("GET", f"{_CREDITS}/packs", "billing", Auth.PUBLIC),
    _session("GET", f"{_CREDITS}/balance"),
    _session("GET", f"{_CREDITS}/transactions"),
    _session("GET", f"{_CREDITS}/budget"),
    _session("PUT", f"{_CREDITS}/budget", MANAGERS),
    _session("POST", "/api/v1/coupons/redeem", MANAGERS),
    Route("GET", _COUPONS, "billing", Auth.OPERATOR),
    Route("POST", _COUPONS, "billing", Auth.OPERATOR),
    Route("POST", f"{_COUPONS}/{{code}}/disable", "billing", Auth.OPERATOR),
    _session("POST", f"{_PAYMENTS}/create-order", MANAGERS),
    _session("POST", f"{_PAYMENTS}/verify"),
    _session("POST", f"{_PAYMENTS}/retry", MANAGERS),
    _session("GET", f"{_PAYMENTS}/history"),
    Route("POST", "/api/v1/admin/payments/{order_id}/refund", "billing", Auth.OPERATOR),
    _session("POST", f"{_PAYMENTS}/downgrade", MANAGERS),
    Route("POST", "/api/v1/admin/tenants/{tenant_id}/plan", "billing", Auth.OPERATOR),
    Route("POST", f"{_PRICES}/preview", "billing", Auth.OPERATOR),
    Route("POST", f"{_PRICES}/import", "billing", Auth.OPERATOR),
)
