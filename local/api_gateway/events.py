"""The events of API Gateway's REST API, as JSON of AWS's shape.

- Proxy integration:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
- REQUEST authorizer:
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from local.aws.account import ACCOUNT, REGION, STAGE
from local.lambda_runtime.events import LambdaEvent

API_ID = "local"
DOMAIN_NAME = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
"""API Gateway knows a request by the domain that it came through, whatever its `Host` says."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the client sent it: `path` and `query` percent-encoded, header names in any case.

    `resource` is the route's template, `path_parameters` the values of its names in `path`. `user_arn` is the operator
    who signed the request, on routes that ask for a signature.
    """

    method: str
    path: str
    resource: str
    path_parameters: Mapping[str, str] | None = None
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    request_id: str = "req_local"
    stage: str = STAGE
    user_arn: str | None = None


def proxy_event(request: HttpRequest, authorizer: Mapping[str, str] | None = None) -> LambdaEvent:
    """The event of the proxy integration; `authorizer` is the context of the authorizer, where there is one.

    Every body is base64, because the API declares `*/*` binary.
    """
    context = _request_context(request)
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    body = base64.b64encode(request.body).decode() if request.body else None
    return _common_fields(request, context) | {"body": body, "isBase64Encoded": bool(request.body)}


def authorizer_event(request: HttpRequest) -> LambdaEvent:
    """The event of a REQUEST authorizer, which has everything but the body."""
    event = _common_fields(request, _request_context(request))
    return {"type": "REQUEST", "methodArn": method_arn(request), **event}


def method_arn(request: HttpRequest) -> str:
    """The ARN that a policy must allow for `request` to pass."""
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{request.stage}/{request.method}{request.path}"


def _common_fields(request: HttpRequest, context: LambdaEvent) -> LambdaEvent:
    headers = _by_name([(_canonical(name), value) for name, value in request.headers])
    query = _by_name(parse_qsl(request.query, keep_blank_values=True))
    return {
        "resource": request.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": _last_values(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last_values(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(request.path_parameters) if request.path_parameters else None,
        "stageVariables": None,
        "requestContext": context,
    }


def _request_context(request: HttpRequest) -> LambdaEvent:
    now = datetime.now(UTC)
    headers = {name.lower(): value for name, value in request.headers}
    return {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": DOMAIN_NAME,
        "domainPrefix": API_ID,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent"),
            "userArn": request.user_arn,
        },
        "path": f"/{request.stage}{request.path}",
        "protocol": "HTTP/1.1",
        "requestId": request.request_id,
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "resourceId": "local0",
        "resourcePath": request.resource,
        "stage": request.stage,
    }


def _canonical(name: str) -> str:
    """`name` with each part capitalised, as most clients write it: Python's web servers lower the client's case."""
    return "-".join(part.capitalize() for part in name.split("-"))


def _by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _last_values(values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}
