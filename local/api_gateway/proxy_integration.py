"""The proxy integration: how functions behind routes that are not streamed are called.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from callmissed.errors import ApiError
from callmissed.observability import LoggableError, failure_name
from local.api_gateway.events import HttpRequest, proxy_event
from local.lambda_runtime.events import LambdaEvent

Invoke = Callable[[LambdaEvent], Awaitable[Any]]
"""Calls one function. Raises what the function raises."""

Scalar = str | int | float | bool

_logger = logging.getLogger("callmissed.local")


class MalformedResponseError(LoggableError):
    """The function's answer is no response of a proxy integration."""


class ProxyIntegration:
    """The ASGI application in front of one function, which `invoke` calls.

    The gateway adds to the scope: `resource`, `path_params`, `request_id`, and `authorizer` or `user_arn` where there
    is one.
    """

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request whose body arrives whole. Raises ApiError 502 when the function fails."""
        request = http_request(scope, (await receive())["body"])
        try:
            messages = response_messages(await self._invoke(proxy_event(request, scope.get("authorizer"))))
        except Exception:
            _logger.exception("%s %s failed", request.method, request.resource)
            raise ApiError(502, "internal_error", "Something failed on our side.") from None
        for message in messages:
            await send(message)


def http_request(scope: Scope, body: bytes = b"") -> HttpRequest:
    """The request in `scope`, to which the gateway has added its own fields."""
    address: str = (scope.get("client") or ("127.0.0.1",))[0]
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        resource=scope["resource"],
        path_parameters=scope["path_params"],
        query=scope["query_string"].decode("latin-1"),
        headers=[*headers, *_forwarded(scope, address)],
        body=body,
        source_ip=address,
        request_id=scope["request_id"],
        user_arn=scope.get("user_arn"),
    )


def _forwarded(scope: Scope, address: str) -> list[tuple[str, str]]:
    """The headers that name the client."""
    before = Headers(scope=scope).get("x-forwarded-for")
    port = (scope.get("server") or ("", 80))[1]
    return [
        ("X-Forwarded-For", f"{before}, {address}" if before else address),
        ("X-Forwarded-Proto", scope["scheme"]),
        ("X-Forwarded-Port", str(port)),
    ]


class _ProxyResponse(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: int = Field(alias="statusCode", ge=100, le=599)
    headers: dict[str, Scalar] | None = None
    multi_headers: dict[str, list[Scalar]] | None = Field(None, alias="multiValueHeaders")
    body: str | None = None
    encoded: bool | None = Field(None, alias="isBase64Encoded")


def response_messages(answer: Any) -> tuple[Message, Message]:
    """The ASGI messages of a function's `answer`. Raises MalformedResponseError for what API Gateway calls malformed.

    A name that is in `headers` and in `multiValueHeaders` has the values of the latter.
    """
    try:
        response = _ProxyResponse.model_validate(answer)
        body = (
            base64.b64decode(response.body or "", validate=True) if response.encoded else (response.body or "").encode()
        )
    except (ValidationError, binascii.Error) as error:
        raise MalformedResponseError(f"malformed Lambda proxy response: {failure_name(error)}") from error
    start: Message = {
        "type": "http.response.start",
        "status": response.status,
        "headers": _headers(response, len(body)),
    }
    return start, {"type": "http.response.body", "body": body}


def _headers(response: _ProxyResponse, length: int) -> list[tuple[bytes, bytes]]:
    headers: dict[str, list[Scalar]] = {"content-type": ["application/json"]}
    single = cast("Mapping[str, Scalar]", response.headers or {})
    headers |= {name.lower(): [value] for name, value in single.items()}
    headers |= {name.lower(): values for name, values in (response.multi_headers or {}).items()}
    headers["content-length"] = [length]
    return [(name.encode("latin-1"), _text(value)) for name, values in headers.items() for value in values]


def _text(value: Scalar) -> bytes:
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode("latin-1")
