"""`/_local`: manual actions of a developer on the local stack, beside its start pages.

A deployed stage has no such routes.
"""

from datetime import UTC, datetime
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.clock import iso
from callmissed.platform.tables import OUTBOX
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.schedules import run_schedule, schedule_names
from local.server.start_page import START_ROUTES


def create_admin_app(
    functions: LambdaFunctions, database: Database, phone_page: str, checkout_page: str = ""
) -> Starlette:
    """The application below `/_local`, and of the start pages.

    `phone_page` and `checkout_page` are URLs of the stand-ins' pages.
    """
    app = Starlette(
        routes=[
            Route("/_local/schedules/{name}", _run_by_hand, methods=["POST"]),
            Route("/_local/outbox", _show_outbox, methods=["GET"]),
            Route("/_local/phone/", _show_phone, methods=["GET"]),
            Route("/_local/checkout/{session_id}", _show_checkout, methods=["GET"]),
            *START_ROUTES,
        ]
    )
    app.state.functions, app.state.database = functions, database
    app.state.phone_page, app.state.checkout_page = phone_page, checkout_page
    return app


async def _show_outbox(request: Request) -> JSONResponse:
    """GET /_local/outbox?after=<event id>: all tenants' events, newest last; with `after`, those after that event.

    `body` is the text that webhooks receive.
    """
    _refuse_web_pages(request)
    database: Database = request.app.state.database
    events = sorted([event async for event in database.scan(OUTBOX, consistent=True)], key=_creation)
    if after := request.query_params.get("after"):
        known = [event["id"] for event in events]
        if after not in known:
            raise HTTPException(404, "'after' is the id of an event in the outbox.")
        events = events[known.index(after) + 1 :]
    return JSONResponse({"events": [{**event, "created": iso(event["created"])} for event in events]})


async def _show_phone(request: Request) -> RedirectResponse:
    """GET /_local/phone/: lead to the phone's page, which is on the stand-in's own port, with the query."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(request.app.state.phone_page + query)


async def _show_checkout(request: Request) -> RedirectResponse:
    """GET /_local/checkout/{session_id}: lead to the page that pays an order, on the stand-in's own port."""
    return RedirectResponse(request.app.state.checkout_page + quote(request.path_params["session_id"], safe=""))


def _creation(event: Item) -> tuple[int, str]:
    return event["created"], event["id"]


def _refuse_web_pages(request: Request) -> None:
    if "origin" in request.headers:
        raise HTTPException(403, "The local stack takes no orders from web pages.")


async def _run_by_hand(request: Request) -> JSONResponse:
    """POST /_local/schedules/{name}?at=<ISO time>: run the real handler for a time, by default now."""
    _refuse_web_pages(request)
    name = request.path_params["name"]
    if name not in schedule_names():
        raise HTTPException(404, f"No such schedule; there are {', '.join(schedule_names())}.")
    at = _time(request.query_params.get("at"))
    result = await run_schedule(request.app.state.functions, name, at)
    return JSONResponse({"schedule": name, "at": at.isoformat(), "result": result})


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of an offset arrives as a space
    except ValueError:
        raise HTTPException(400, "'at' is an ISO 8601 time, such as 2026-12-01T00:00:00Z.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
