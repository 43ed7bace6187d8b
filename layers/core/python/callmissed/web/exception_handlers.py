"""Exceptions of a route as envelopes of its path, with the id that `RequestContextMiddleware` assigned."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from callmissed.aws.dynamodb import Unavailable
from callmissed.aws.queues import QueueUnavailable
from callmissed.errors import ApiError, envelope, invalid_request, service_unavailable, status_on
from callmissed.web.surface import surface_path
from callmissed.web.unknown_route import unknown_route

_NO_OBJECT = "A JSON object is needed, with the header 'Content-Type: application/json'"


def add_exception_handlers(api: FastAPI) -> None:
    """Let `api` answer every exception with an envelope."""
    api.add_exception_handler(ApiError, _handle_api_error)
    api.add_exception_handler(Unavailable, _handle_unavailable)
    api.add_exception_handler(QueueUnavailable, _handle_unavailable)
    api.add_exception_handler(RequestValidationError, _handle_invalid_request)
    api.add_exception_handler(HTTPException, _handle_http_error)
    api.add_exception_handler(Exception, _handle_defect)


def error_response(scope: Scope, error: ApiError) -> Response:
    """`error` in the envelope of the path."""
    path = surface_path(scope)
    body = envelope(path, error, scope["state"]["request_id"])
    return JSONResponse(body, status_on(path, error), error.headers)


def internal_error() -> ApiError:
    """500: a defect in our code."""
    return ApiError(500, "internal_error", "Something went wrong on our side.")


async def _handle_api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return error_response(request.scope, error)


async def _handle_unavailable(request: Request, _error: Exception) -> Response:
    return error_response(request.scope, service_unavailable())


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [{"loc": list(problem["loc"]), "msg": _problem(problem)} for problem in error.errors()]
    names = ".".join(str(part) for part in problems[0]["loc"][1:])
    refusal = invalid_request(f"Invalid '{names}': {problems[0]['msg']}.", param=names or None)
    if request.scope["path"].startswith("/api/"):
        refusal = ApiError(422, "invalid_request_error", "The request is invalid.", details=problems)
    return error_response(request.scope, refusal)


def _problem(problem: Mapping[str, Any]) -> str:
    """What is wrong; of the whole body, with the header without which no body is read as JSON."""
    return _NO_OBJECT if problem["loc"] == ("body",) else problem["msg"]


async def _handle_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    only_preflight = error.status_code == 405 and (error.headers or {}).get("Allow") == "OPTIONS"
    status = 404 if only_preflight else error.status_code  # the preflight's route has every path
    if status not in (404, 405):
        refusal = ApiError(status, "invalid_request_error", "The request's body can't be read.", headers=error.headers)
        return error_response(request.scope, refusal)
    refusal = unknown_route(request.method, request.scope["path"])
    if status == 405:
        refusal = ApiError(405, "method_not_allowed", refusal.message, headers=error.headers)
    return error_response(request.scope, refusal)


async def _handle_defect(request: Request, _error: Exception) -> Response:
    """The envelope instead of Starlette's plain text; the middleware logs the exception."""
    return error_response(request.scope, internal_error())
