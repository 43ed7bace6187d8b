"""The webhooks slice's routes: providers' callbacks, and the management of tenants' webhooks."""

from callmissed.platform.routes.route import MANAGERS, Auth, Route

_WEBHOOK = "/api/v1/webhooks/{webhook_id}"


def _callback(method: str, path: str) -> Route:
    return Route(method, path, "callbacks", Auth.SIGNED)


def _webhooks(method: str, path: str) -> Route:
    return Route(method, path, "webhooks", Auth.ACCOUNT, scope="webhooks:write", roles=MANAGERS)


def _operator(method: str, path: str) -> Route:
    return Route(method, f"/api/v1/admin/tenants/{{tenant_id}}{path}", "webhooks", Auth.OPERATOR)


ROUTES = (
    _callback("GET", "/api/v1/webhooks/whatsapp"),
    _callback("POST", "/api/v1/webhooks/whatsapp"),
    _callback("POST", "/api/v1/webhooks/twilio/voice"),
    _callback("POST", "/api/v1/webhooks/twilio/status"),
    _callback("POST", "/api/v1/payments/webhook"),
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
    _operator("POST", "/webhooks/{webhook_id}/delete"),
    _operator("POST", "/events"),
)
