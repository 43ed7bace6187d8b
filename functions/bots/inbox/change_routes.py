"""/api/v1/conversations and /api/v1/handoffs: what a team changes, and the hand-off queue."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.clock import Micros, iso
from callmissed.web.actor import ActorOf
from callmissed.web.caller import CallerOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.bots.conversations.records import Status, StoredConversation
from functions.bots.error_responses import error_responses
from functions.bots.inbox.changes import InboxChanges
from functions.bots.inbox.handoffs import Handoffs
from functions.bots.inbox.routes import ONE, AssignedOf, Cursor, InboxOf, Limit, person_of
from functions.bots.inbox.schemas import (
    AutoreplySwitch,
    ConversationChanges,
    ConversationOut,
    HandoffAssignment,
    HandoffCountOut,
    HandoffOut,
    HandoffPageOut,
    HandoffResolution,
    StatusChange,
)

router = APIRouter(tags=["conversations"], route_class=GatewayRoute)
QUEUE = "/api/v1/handoffs"
_OF_QUEUE = f"{QUEUE}/{{conversation_id}}"

ChangesOf = Annotated[InboxChanges, from_state("inbox_changes")]
HandoffsOf = Annotated[Handoffs, from_state("handoffs")]


@router.put(
    f"{ONE}/status",
    summary="Set the status",
    response_model=ConversationOut,
    responses=error_responses(404, 422, changes=True),
)
async def set_status(
    inbox: InboxOf,
    changes: ChangesOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    conversation_id: str,
    change: StatusChange,
) -> ConversationOut:
    """Complete, fail, escalate or reopen a conversation.

    `completed` and `failed` end it: the end user's next message begins another one. `escalated` puts it into the
    hand-off queue and stops the bot. `active` takes it off the queue, and reopens an ended one, unless the end user has
    a newer conversation at the number (`conversation_superseded`). Who answers stays as it is.
    """
    status = Status(change.status)
    changed = await changes.set_status(caller.tenant, conversation_id, status, actor, clock())
    return await inbox.shown_one(changed, clock())


@router.patch(
    ONE,
    summary="Label or assign",
    response_model=ConversationOut,
    responses=error_responses(404, 422, changes=True),
)
async def change_conversation(
    inbox: InboxOf,
    changes: ChangesOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    conversation_id: str,
    change: ConversationChanges,
) -> ConversationOut:
    """Set labels, or the person who answers. Whom it is assigned to takes it over: no bot message leaves afterwards."""
    now, tenant, given = clock(), caller.tenant, change.model_fields_set
    conversation: StoredConversation | None = None
    if "assigned_to" in given:
        conversation = await changes.assign(
            tenant, conversation_id, change.assigned_to, actor, now, field="assigned_to"
        )
    if change.labels is not None:
        conversation = await changes.set_labels(tenant, conversation_id, change.labels, actor, now)
    return await inbox.shown_one(conversation or await inbox.get(tenant, conversation_id), now)


@router.post(
    f"{ONE}/autoreply",
    summary="Take over or hand back",
    response_model=ConversationOut,
    responses=error_responses(404, 422, changes=True),
)
async def set_autoreply(
    inbox: InboxOf,
    changes: ChangesOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    conversation_id: str,
    switch: AutoreplySwitch,
) -> ConversationOut:
    """Let a person answer, or the bot.

    With `false` no bot message leaves after the answer to this request, not even one in the making. With `true` the bot
    answers the next message; the conversation leaves the hand-off queue and is nobody's.
    """
    now = clock()
    changed = await changes.set_autoreply(caller.tenant, conversation_id, enabled=switch.enabled, actor=actor, now=now)
    return await inbox.shown_one(changed, now)


@router.post(
    f"{ONE}/read", summary="Mark as read", response_model=ConversationOut, responses=error_responses(404, changes=True)
)
async def mark_read(
    inbox: InboxOf, changes: ChangesOf, caller: CallerOf, clock: ClockOf, conversation_id: str
) -> ConversationOut:
    """Set `unread_count` to 0 and `last_read_at` to now. The end user sees nothing of it."""
    now = clock()
    return await inbox.shown_one(await changes.mark_read(caller.tenant, conversation_id, now), now)


@router.post(
    f"{ONE}/unread",
    summary="Mark as unread",
    response_model=ConversationOut,
    responses=error_responses(404, changes=True),
)
async def mark_unread(
    inbox: InboxOf, changes: ChangesOf, caller: CallerOf, clock: ClockOf, conversation_id: str
) -> ConversationOut:
    """Set `unread_count` to 1 where it is 0."""
    now = clock()
    return await inbox.shown_one(await changes.mark_unread(caller.tenant, conversation_id, now), now)


@router.get(QUEUE, summary="List hand-offs", response_model=HandoffPageOut, responses=error_responses(422))
async def list_handoffs(
    inbox: InboxOf,
    handoffs: HandoffsOf,
    caller: CallerOf,
    clock: ClockOf,
    assigned: AssignedOf = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> HandoffPageOut:
    """Conversations that wait for a person or have one, longest waiting first."""
    now = clock()
    page = await handoffs.page(caller.tenant, person_of(caller, assigned), limit, cursor, now)
    shown = await inbox.shown([each.conversation for each in page.handoffs], now)
    data = [
        HandoffOut(conversation=conversation, reason=each.entry.reason, waiting_since=iso(Micros(each.entry.created)))
        for each, conversation in zip(page.handoffs, shown, strict=True)
    ]
    return HandoffPageOut(data=data, next_cursor=page.cursor)


@router.get(f"{QUEUE}/count", summary="Count hand-offs", response_model=HandoffCountOut, responses=error_responses())
async def count_handoffs(handoffs: HandoffsOf, caller: CallerOf, clock: ClockOf) -> HandoffCountOut:
    """How many conversations are in the hand-off queue."""
    count = await handoffs.count(caller.tenant, clock())
    return HandoffCountOut(count=count.count, unassigned=count.unassigned, is_minimum=count.is_minimum)


@router.post(
    f"{_OF_QUEUE}/assign",
    summary="Assign a hand-off",
    response_model=ConversationOut,
    responses=error_responses(404, 422, changes=True),
)
async def assign_handoff(
    inbox: InboxOf,
    handoffs: HandoffsOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    conversation_id: str,
    assignment: HandoffAssignment,
) -> ConversationOut:
    """Give the conversation to a person. It stays in the queue until it is resolved."""
    now = clock()
    assigned = await handoffs.assign(caller.tenant, conversation_id, assignment.user_id, actor, now)
    return await inbox.shown_one(assigned, now)


@router.post(
    f"{_OF_QUEUE}/resolve",
    summary="Resolve a hand-off",
    response_model=ConversationOut,
    responses=error_responses(404, 422, changes=True),
)
async def resolve_handoff(
    inbox: InboxOf,
    handoffs: HandoffsOf,
    caller: CallerOf,
    actor: ActorOf,
    clock: ClockOf,
    conversation_id: str,
    resolution: HandoffResolution | None = None,
) -> ConversationOut:
    """Hand the conversation back to the bot, which answers the next message; or complete it."""
    now = clock()
    complete = resolution is not None and resolution.complete
    resolved = await handoffs.resolve(caller.tenant, conversation_id, complete=complete, actor=actor, now=now)
    return await inbox.shown_one(resolved, now)
