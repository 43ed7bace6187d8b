"""A slice's application below `/api/v1`: FastAPI behind Mangum."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI

from callmissed.web.exception_handlers import add_exception_handlers

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def create_api(title: str, routers: Sequence[APIRouter], **state: Any) -> FastAPI:
    """An application with `routers`, whose `app.state` holds `state`. Wrap it in `RequestContextMiddleware`."""
    api = FastAPI(title=title, openapi_url=None, redirect_slashes=False)
    add_exception_handlers(api)
    for name, value in state.items():
        setattr(api.state, name, value)
    for router in routers:
        api.include_router(router)
    return api


def state_of(services: "DataclassInstance") -> dict[str, Any]:
    """The fields of a slice's services by name, as routes find them in the application's state."""
    return {each.name: getattr(services, each.name) for each in fields(services)}
