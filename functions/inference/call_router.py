"""Routers of billed calls, with what the OpenAPI document says of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel

from callmissed.web.gateway_route import GatewayRoute
from callmissed_ai.work import JSON
from functions.inference.error_responses import call_errors

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class CallDescription:
    """The body and the answer of a call, which its route reads and writes as bytes, so that FastAPI can't see them.

    `example` is a body that fits `request`, `media_type` what it is sent as; `as_json` is one for calls that may be
    sent as JSON too. `answer` is the response object with status 200. `repeatable` says whether a repetition with the
    same Idempotency-Key gets the same answer.
    """

    request: type[BaseModel]
    example: object
    answer: Mapping[str, Any]
    repeatable: bool = True
    media_type: str = JSON
    as_json: object = None


class CallRouter(APIRouter):
    """A router of billed calls. `descriptions` are theirs, by path; schemas are made of them for the document alone."""

    def __init__(self, tag: str) -> None:
        super().__init__(tags=[tag], route_class=GatewayRoute)
        self.descriptions: dict[str, CallDescription] = {}

    def call(self, path: str, *, summary: str, description: CallDescription) -> Callable[[_Endpoint], _Endpoint]:
        """Register the endpoint of POST `path`."""
        self.descriptions[path] = description
        return self.post(path, summary=summary, responses={200: dict(description.answer), **call_errors(path)})
