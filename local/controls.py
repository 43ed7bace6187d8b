"""`/_local`: what a developer may do to the desk by hand. It exists nowhere else."""

from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.schedules import run_schedule, schedule_names


def create_controls() -> Starlette:
    """The application below `/_local`."""
    return Starlette(routes=[Route("/_local/schedules/{name}", _run_by_hand, methods=["POST"])])


async def _run_by_hand(request: Request) -> JSONResponse:
    """POST /_local/schedules/{name}?at=<ISO time>: run the real handler as of a time, which is now unless given."""
    if "origin" in request.headers:
        raise HTTPException(403, "The desk takes no orders from web pages.")
    name = request.path_params["name"]
    if name not in schedule_names():
        raise HTTPException(404, f"No such schedule; there are {', '.join(schedule_names())}.")
    at = _moment(request.query_params.get("at"))
    return JSONResponse({"schedule": name, "at": at.isoformat(), "result": await run_schedule(name, at)})


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of an offset arrives as a space
    except ValueError:
        raise HTTPException(400, "'at' is an ISO 8601 time, such as 2026-12-01T00:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
