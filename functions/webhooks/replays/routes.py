"""/api/v1/webhooks/{webhook_id}/recover and /replays: sending past deliveries again."""

from typing import Annotated

from fastapi import APIRouter, Body

from callmissed.web.actor import ActorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.webhooks.deliveries.time_range import replayable
from functions.webhooks.dependencies import EndpointOf
from functions.webhooks.error_responses import error_responses
from functions.webhooks.replays.schemas import NewReplay, Recovery, ReplayOut
from functions.webhooks.replays.service import Replays, ReplaySelection
from functions.webhooks.storage.records import State
from functions.webhooks.subscriptions.routes import SubscriptionsOf

router = APIRouter(tags=["webhooks"], route_class=GatewayRoute)
_ONE = "/api/v1/webhooks/{webhook_id}"

ReplaysOf = Annotated[Replays, from_state("replays")]


@router.post(
    f"{_ONE}/recover",
    summary="Recover",
    status_code=202,
    response_model=ReplayOut,
    responses=error_responses(404, 422, changes=True),
)
async def recover(
    replays: ReplaysOf,
    subscriptions: SubscriptionsOf,
    actor: ActorOf,
    clock: ClockOf,
    endpoint: EndpointOf,
    operation: OperationOf,
    recovery: Annotated[Recovery | None, Body()] = None,
) -> ReplayOut:
    """After an outage of the endpoint: activate the webhook and queue everything that failed since then once more.

    Deliveries keep their ids, so that a receiver recognises one that it has already. What is parked is sent as well.
    """
    now = clock()
    failing_since = (await subscriptions.get(endpoint)).first_failure_at
    time_range = replayable(recovery.since if recovery else None, None, now, failing_since=failing_since)
    return ReplayOut.of(await replays.recover(endpoint, time_range, actor, now, operation))


@router.post(
    f"{_ONE}/replays",
    summary="Start a replay",
    status_code=202,
    response_model=ReplayOut,
    responses=error_responses(404, 422, changes=True),
)
async def start_replay(
    replays: ReplaysOf, actor: ActorOf, clock: ClockOf, endpoint: EndpointOf, operation: OperationOf, new: NewReplay
) -> ReplayOut:
    """Send every delivery of a time range again, as new deliveries whose `replay_of` names the old one."""
    now = clock()
    selection = ReplaySelection(
        replayable(new.since, new.until, now),
        events=new.events or ["*"],
        states=[State(new.status)] if new.status else tuple(State),
    )
    return ReplayOut.of(await replays.start(endpoint, selection, actor, now, operation))


@router.get(
    f"{_ONE}/replays/{{replay_id}}",
    summary="Get a replay",
    response_model=ReplayOut,
    responses=error_responses(404),
)
async def get_replay(replays: ReplaysOf, endpoint: EndpointOf, replay_id: str) -> ReplayOut:
    """How far a replay or a recovery is."""
    return ReplayOut.of(await replays.get(endpoint, replay_id))
