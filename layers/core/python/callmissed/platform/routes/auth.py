"""The auth slice's routes: sign-in, sessions, keys, the audit log, the team and the tenant."""

from callmissed.platform.routes.route import ANY_ROLE, MANAGERS, OWNER_ONLY, Auth, Role, Route

_AUTH = "/api/v1/auth"
_TENANT = "/api/v1/tenants/me"


def _public(method: str, path: str) -> Route:
    return Route(method, path, "auth", Auth.PUBLIC)


def _session(method: str, path: str, roles: frozenset[Role] = ANY_ROLE, *, while_inactive: bool = False) -> Route:
    return Route(method, path, "auth", Auth.SESSION, roles=roles, while_inactive=while_inactive)


def _operator(method: str, path: str) -> Route:
    return Route(method, f"/api/v1/admin/tenants{path}", "auth", Auth.OPERATOR)


ROUTES = (
    _public("GET", "/.well-known/jwks.json"),
    _public("POST", f"{_AUTH}/register"),
    _public("POST", f"{_AUTH}/register/verify"),
    _public("POST", f"{_AUTH}/login"),
    _public("POST", f"{_AUTH}/google"),
    _public("POST", f"{_AUTH}/otp/send"),
    _public("POST", f"{_AUTH}/otp/login"),
    _public("POST", f"{_AUTH}/reset-password"),
    _public("POST", f"{_AUTH}/refresh"),
    _public("POST", f"{_AUTH}/logout"),
    _session("GET", f"{_AUTH}/me", while_inactive=True),
    _session("PATCH", f"{_AUTH}/me"),
    _session("GET", f"{_AUTH}/sessions", while_inactive=True),
    _session("DELETE", f"{_AUTH}/sessions", while_inactive=True),
    _session("DELETE", f"{_AUTH}/sessions/{{session_id}}", while_inactive=True),
    _session("GET", f"{_AUTH}/2fa/status", while_inactive=True),
    _session("POST", f"{_AUTH}/2fa/setup", while_inactive=True),
    _session("POST", f"{_AUTH}/2fa/enable", while_inactive=True),
    _session("POST", f"{_AUTH}/2fa/disable", while_inactive=True),
    _session("POST", f"{_AUTH}/2fa/backup-codes/regenerate", while_inactive=True),
    _public("POST", f"{_AUTH}/2fa/verify"),
    _public("POST", f"{_AUTH}/2fa/recovery/request"),
    _public("POST", f"{_AUTH}/2fa/recovery/confirm"),
    _session("GET", f"{_AUTH}/passkey/list", while_inactive=True),
    _session("POST", f"{_AUTH}/passkey/register/options", while_inactive=True),
    _session("POST", f"{_AUTH}/passkey/register/verify", while_inactive=True),
    _public("POST", f"{_AUTH}/passkey/login/verify"),
    _session("PATCH", f"{_AUTH}/passkey/{{passkey_id}}", while_inactive=True),
    _session("DELETE", f"{_AUTH}/passkey/{{passkey_id}}", while_inactive=True),
    _session("GET", "/api/v1/keys", MANAGERS),
    _session("POST", "/api/v1/keys", MANAGERS),
    _public("POST", "/api/v1/keys/leaked"),
    _session("GET", "/api/v1/keys/{key_id}", MANAGERS),
    _session("PUT", "/api/v1/keys/{key_id}", MANAGERS),
    _session("PATCH", "/api/v1/keys/{key_id}", MANAGERS),
    _session("DELETE", "/api/v1/keys/{key_id}", MANAGERS),
    _session("POST", "/api/v1/keys/{key_id}/rotate", MANAGERS),
    _session("GET", "/api/v1/keys/{key_id}/rate-state", MANAGERS),
    _session("POST", "/api/v1/keys/{key_id}/reveal/request", MANAGERS),
    _session("POST", "/api/v1/keys/{key_id}/reveal/verify", MANAGERS),
    *(
        _session(method, f"/api/v1/settings/{provider}{path}", roles)
        for provider in ("whatsapp", "twilio", "sarvam")
        for method, path, roles in (("GET", "", ANY_ROLE), ("PUT", "", MANAGERS), ("POST", "/verify", MANAGERS))
    ),
    _session("GET", "/api/v1/audit/events", MANAGERS),
    _session("GET", "/api/v1/users"),
    _session("POST", "/api/v1/users", MANAGERS),
    _session("PUT", "/api/v1/users/{user_id}", MANAGERS),
    _session("DELETE", "/api/v1/users/{user_id}", MANAGERS),
    _session("PATCH", "/api/v1/users/{user_id}/role", OWNER_ONLY),
    _session("GET", _TENANT, while_inactive=True),
    _session("PATCH", _TENANT, MANAGERS),
    _session("GET", f"{_TENANT}/onboarding"),
    _session("POST", f"{_TENANT}/deactivate", OWNER_ONLY, while_inactive=True),
    _session("POST", f"{_TENANT}/reactivate", OWNER_ONLY, while_inactive=True),
    _session("GET", "/api/v1/audit/events.csv", MANAGERS),
    _session("GET", "/api/v1/audit/events/{event_id}", MANAGERS),
    _operator("POST", ""),
    _operator("POST", "/{tenant_id}/credits"),
    _operator("POST", "/{tenant_id}/credits/adjust"),
    _operator("POST", "/{tenant_id}/keys"),
    _operator("POST", "/{tenant_id}/keys/{key_id}/revoke"),
    _operator("POST", "/{tenant_id}/keys/{key_id}/rotate"),
    _operator("PUT", "/{tenant_id}/integrations/whatsapp"),
    _operator("PUT", "/{tenant_id}/integrations/twilio"),
    _operator("POST", "/{tenant_id}/suspend"),
    _operator("POST", "/{tenant_id}/reactivate"),
    _operator("POST", "/{tenant_id}/users"),
    _operator("POST", "/{tenant_id}/users/{user_id}/deactivate"),
)
