"""Hooks for schemathesis: each request has the credentials that the document names for its operation.

A variable of the environment holds them, as JSON: `key`, `session`, `operator_secret`, and `tenant`, which operators'
requests are about.
"""

import json
import os
from collections import Counter
from typing import Any

import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests import PreparedRequest

from local.api_gateway.sigv4 import SERVICE
from local.aws.account import OPERATOR_ACCESS_KEY, REGION

VARIABLE = "WALK_CREDENTIALS"
SHARE_VARIABLE = "WALK_SHARE"
"""`8` sends each eighth of an operation's requests, behind its first eight; by default all are sent."""
_CREDENTIALS: dict[str, str] = json.loads(os.environ.get(VARIABLE, "{}"))
_VERIFIES = "/verify"
_IDEMPOTENCY_KEY = "Idempotency-Key"
_SHARE = int(os.environ.get(SHARE_VARIABLE, "1"))
_FIRST = 8
_SENT: set[str] = set()
_GENERATED: Counter[str] = Counter()


@schemathesis.hook
def filter_case(_context: object, case: Any) -> bool:
    """Whether a request is sent: an operation with many fields has hundreds, of which a share is enough mostly."""
    operation = case.operation.label
    _GENERATED[operation] += 1
    return _GENERATED[operation] <= _FIRST or _GENERATED[operation] % _SHARE == 0


@schemathesis.hook
def before_call(_context: object, case: Any, kwargs: dict[str, Any]) -> None:
    """Authorize a request. An operator's is about the tenant of these tests, if the path is whole otherwise."""
    _repeat_nothing(case)
    accepted = {name for way in case.operation.definition.raw.get("security", ()) for name in way}
    if "operator" in accepted:
        if "tenant_id" in case.path_parameters:
            case.path_parameters["tenant_id"] = _CREDENTIALS["tenant"]
        kwargs["auth"] = _signed
    else:
        if "session_id" in case.path_parameters:
            case.path_parameters["session_id"] = "ses_of_nobody"  # schemathesis knows the walk's own, and ends it
        case.headers["Authorization"] = f"Bearer {_CREDENTIALS[_bearer(accepted, case.operation.path)]}"


def _repeat_nothing(case: Any) -> None:
    """Give another request another Idempotency-Key: with the same one it is a 409, whatever else is in it."""
    given = case.headers.get(_IDEMPOTENCY_KEY)
    if given in _SENT:
        case.headers[_IDEMPOTENCY_KEY] = f"{given[:200]}{len(_SENT)}"
    if given is not None:
        _SENT.add(case.headers[_IDEMPOTENCY_KEY])


def _bearer(accepted: set[str], path: str) -> str:
    """Whose token a request has. A settings route that sends a request to a provider is refused, as keys are."""
    calls_out = path.startswith("/api/v1/settings/") and path.endswith(_VERIFIES)
    return "session" if "session" in accepted and not calls_out else "key"


def _signed(request: PreparedRequest) -> PreparedRequest:
    signed = AWSRequest(request.method, request.url, {"Host": str(request.url).split("/")[2]}, data=request.body or b"")
    if isinstance(content_type := request.headers.get("Content-Type"), str):
        signed.headers["Content-Type"] = content_type
    SigV4Auth(Credentials(OPERATOR_ACCESS_KEY, _CREDENTIALS["operator_secret"]), SERVICE, REGION).add_auth(signed)
    request.headers.update((name, str(value)) for name, value in signed.headers.items())
    return request
