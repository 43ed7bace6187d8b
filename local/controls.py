"""`/_local`: what a developer may do to the desk by hand. It exists nowhere else."""

from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.clock import iso
from callmissed.platform.tables import OUTBOX
from local.functions import Functions
from local.schedules import run_schedule, schedule_names


def create_controls(functions: Functions, database: Database) -> Starlette:
    """The application below `/_local`."""
    controls = Starlette(
        routes=[
            Route("/_local/schedules/{name}", _run_by_hand, methods=["POST"]),
            Route("/_local/outbox", _show_outbox, methods=["GET"]),
        ]
    )
    controls.state.functions, controls.state.database = functions, database
    return controls


async def _show_outbox(request: Request) -> JSONResponse:
    """GET /_local/outbox?after=<event id>: the events of all tenants, the newest last; those after one, if it is given.

    `body` is the text that webhooks get.
    """
    _refuse_web_pages(request)
    database: Database = request.app.state.database
    events = sorted([event async for event in database.scan(OUTBOX, consistent=True)], key=_age)
    if after := request.query_params.get("after"):
        known = [event["id"] for event in events]
        if after not in known:
            raise HTTPException(404, "'after' is the id of an event in the outbox.")
        events = events[known.index(after) + 1 :]
    return JSONResponse({"events": [{**event, "created": iso(event["created"])} for event in events]})


def _age(event: Item) -> tuple[int, str]:
    return event["created"], event["id"]


def _refuse_web_pages(request: Request) -> None:
    if "origin" in request.headers:
        raise HTTPException(403, "The desk takes no orders from web pages.")


async def _run_by_hand(request: Request) -> JSONResponse:
    """POST /_local/schedules/{name}?at=<ISO time>: run the real handler as of a time, which is now unless given."""
    _refuse_web_pages(request)
    name = request.path_params["name"]
    if name not in schedule_names():
        raise HTTPException(404, f"No such schedule; there are {', '.join(schedule_names())}.")
    at = _moment(request.query_params.get("at"))
    result = await run_schedule(request.app.state.functions, name, at)
    return JSONResponse({"schedule": name, "at": at.isoformat(), "result": result})


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of an offset arrives as a space
    except ValueError:
        raise HTTPException(400, "'at' is an ISO 8601 time, such as 2026-12-01T00:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
