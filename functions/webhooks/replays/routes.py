"""/api/v1/webhooks/{webhook_id}/recover and /replays: sending past deliveries again."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from callmissed.web.idempotency import OperationOf
from functions.webhooks.delivery.rendering import replay_object
from functions.webhooks.delivery.time_range import replayable
from functions.webhooks.error_responses import refusals
from functions.webhooks.parts import EndpointOf, PartsOf
from functions.webhooks.subscriptions.schemas import NewReplay, Recovery, Replay

router = APIRouter(tags=["webhooks"])
_ONE = "/api/v1/webhooks/{webhook_id}"


@router.post(
    f"{_ONE}/recover", summary="Recover", status_code=202, response_model=Replay, responses=refusals(404, 409, 422)
)
async def recover(
    parts: PartsOf, endpoint: EndpointOf, operation: OperationOf, recovery: Annotated[Recovery | None, Body()] = None
) -> dict[str, Any]:
    """After an outage of the endpoint: activate the webhook and queue everything that failed since then once more.

    Deliveries keep their ids, so that a receiver which has one already can tell. What is parked is sent as well.
    """
    now = parts.clock()
    failing_since = (await parts.subscriptions.get(endpoint)).get("ff")
    span = replayable(recovery.since if recovery else None, None, now, failing_since=failing_since)
    return replay_object(await parts.replays.recover(endpoint, span, now, operation))


@router.post(
    f"{_ONE}/replays",
    summary="Start a replay",
    status_code=202,
    response_model=Replay,
    responses=refusals(400, 404, 422),
)
async def start_replay(parts: PartsOf, endpoint: EndpointOf, operation: OperationOf, new: NewReplay) -> dict[str, Any]:
    """Send every delivery of a span again, as new deliveries whose `replay_of` names the old one."""
    now = parts.clock()
    span = replayable(new.since, new.until, now)
    replay = await parts.replays.repeat(endpoint, span, now, operation, events=new.events, status=new.status)
    return replay_object(replay)


@router.get(f"{_ONE}/replays/{{replay_id}}", summary="Get a replay", response_model=Replay, responses=refusals(404))
async def get_replay(parts: PartsOf, endpoint: EndpointOf, replay_id: str) -> dict[str, Any]:
    """How far a replay or a recovery is."""
    return replay_object(await parts.replays.get(endpoint, replay_id))
