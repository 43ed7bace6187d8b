"""Functions behind routes that are not streamed: called as API Gateway's proxy integration calls them.

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
from local.lambda_runtime.events import Event, HttpRequest, proxy_event

Call = Callable[[Event], Awaitable[Any]]
Scalar = str | int | float | bool

_logger = logging.getLogger("callmissed.local")


class MalformedAnswerError(Exception):
    """The function's answer is not what a proxy integration takes."""


class ProxyFunction:
    """The ASGI application in front of one function, which `call` calls.

    The gateway adds to the scope: `resource`, `path_params`, `request_id`, and `authorizer` where there is one.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request whose body arrives whole. Raises ApiError 502 when the function fails."""
        request = http_request(scope, (await receive())["body"])
        try:
            messages = answer_messages(await self._call(proxy_event(request, scope.get("authorizer"))))
        except Exception:
            _logger.exception("%s %s failed", request.method, request.resource)
            raise ApiError(502, "internal_error", "Something failed on our side.") from None
        for message in messages:
            await send(message)


def http_request(scope: Scope, body: bytes = b"") -> HttpRequest:
    """The request in `scope`, to which the gateway has added what is its own."""
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
    )


def _forwarded(scope: Scope, address: str) -> list[tuple[str, str]]:
    """The headers with which API Gateway says for whom it asks."""
    before = Headers(scope=scope).get("x-forwarded-for")
    port = (scope.get("server") or ("", 80))[1]
    return [
        ("X-Forwarded-For", f"{before}, {address}" if before else address),
        ("X-Forwarded-Proto", scope["scheme"]),
        ("X-Forwarded-Port", str(port)),
    ]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: int = Field(alias="statusCode", ge=100, le=599)
    headers: dict[str, Scalar] | None = None
    several: dict[str, list[Scalar]] | None = Field(None, alias="multiValueHeaders")
    body: str | None = None
    encoded: bool | None = Field(None, alias="isBase64Encoded")


def answer_messages(answer: Any) -> tuple[Message, Message]:
    """The ASGI messages of a function's `answer`. Raises MalformedAnswerError for what API Gateway calls malformed.

    A name that is in `headers` and in `multiValueHeaders` has the values of the latter.
    """
    try:
        read = _Answer.model_validate(answer)
        body = base64.b64decode(read.body or "", validate=True) if read.encoded else (read.body or "").encode()
    except (ValidationError, binascii.Error) as error:
        raise MalformedAnswerError(f"malformed Lambda proxy response: {error}") from error
    start: Message = {"type": "http.response.start", "status": read.status, "headers": _headers(read, len(body))}
    return start, {"type": "http.response.body", "body": body}


def _headers(answer: _Answer, length: int) -> list[tuple[bytes, bytes]]:
    headers: dict[str, list[Scalar]] = {"content-type": ["application/json"]}
    single = cast("Mapping[str, Scalar]", answer.headers or {})
    headers |= {name.lower(): [value] for name, value in single.items()}
    headers |= {name.lower(): values for name, values in (answer.several or {}).items()}
    headers["content-length"] = [length]
    return [(name.encode("latin-1"), _text(value)) for name, values in headers.items() for value in values]


def _text(value: Scalar) -> bytes:
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode("latin-1")
