"""The transactions that store a message of an end user."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed.aws.comparisons import above, at_most, equal, missing_or, one_of
from callmissed.aws.operations import (
    Changes,
    WriteOperation,
    check_operation,
    delete_operation,
    put_new_operation,
    update_operation,
)
from callmissed.clock import SECOND, Micros
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import ConversationStarted
from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.bots.repository import count_operation
from functions.bots.conversations.completion import completion_operations
from functions.bots.conversations.messages import to_message_item
from functions.bots.conversations.records import (
    HOUR,
    NEVER,
    OPEN,
    WINDOW_HOURS,
    EndUser,
    KnownUser,
    Status,
    StoredConversation,
    change_mark,
    conversation_key,
    derived_id,
    due_text,
    shard_of,
    to_conversation_item,
    to_last_turn,
    to_user_item,
    user_key,
)
from functions.bots.inbound.arrival import Arrival
from functions.bots.inbound.events import event_of

_OPEN = tuple(sorted(map(str, OPEN)))
_CLOSED = tuple(sorted(str(status) for status in Status if status not in OPEN))


@dataclass(frozen=True, slots=True)
class StoragePlan:
    """A transaction that stores a message in a conversation.

    Its first operations are the message, the event that says so, and the conversation.
    """

    conversation_id: str
    event_id: str
    operations: Sequence[WriteOperation]


def continued(
    arrival: Arrival, conversation_id: str, *, closed: Sequence[StoredConversation] = (), renews_window: bool = True
) -> StoragePlan:
    """Store the message in an open conversation. Fails where a day's silence or a person has ended the conversation.

    With `renews_window` it also fails if a message was stored that was sent later. `closed` are the end user's other
    conversations.
    """
    changes = _activity(arrival, conversation_id)
    expected = {"status": one_of(*_OPEN), "last_activity": above(arrival.now - WINDOW_HOURS * HOUR)}
    if renews_window:
        changes["set"] = {**changes.get("set", {}), "last_inbound_at": arrival.sent}
        expected["last_inbound_at"] = at_most(arrival.sent)
    changes["expected"] = expected
    change = update_operation(CONVERSATIONS, conversation_key(arrival.tenant, conversation_id), **changes)
    return _plan(arrival, conversation_id, change, [*_users(arrival, conversation_id), *_closing(arrival, closed)])


def begun(arrival: Arrival, closed: Sequence[StoredConversation] = ()) -> StoragePlan:
    """Begin a conversation with the message. `closed` are the end user's earlier ones, which end with it."""
    conversation = _new_conversation(arrival, closed)
    started = ConversationStarted(
        conversation_id=conversation.id,
        bot_id=conversation.bot_id,
        channel="whatsapp",
        external_id=conversation.user.external_id,
    )
    more = [
        publish_operation(new_event(arrival.tenant, started, arrival.now, unique=conversation.id)),
        *([count_operation(arrival.tenant, arrival.bot_id)] if arrival.bot_id else []),
        *_users(arrival, conversation.id, begins=True),
        *_closing(arrival, closed),
    ]
    put = put_new_operation(CONVERSATIONS, to_conversation_item(conversation))
    return _plan(arrival, conversation.id, put, more)


def added(arrival: Arrival, conversation_id: str, closed: Sequence[StoredConversation] = ()) -> StoragePlan:
    """Add a message about an earlier one to the conversation, open or not, and follow a change of the user's names.

    `closed` are the end user's other conversations.
    """
    names = _names(arrival.message.renamed or EndUser())
    values: dict[str, Any] = {"changed": change_mark(arrival.now, conversation_id), **names}
    if arrival.message.renamed and arrival.is_opted_out:
        values["opted_out"] = True
    change = update_operation(CONVERSATIONS, conversation_key(arrival.tenant, conversation_id), set=values)
    more = [*_renamed_users(arrival, conversation_id), *_closing(arrival, closed)]
    return _plan(arrival, conversation_id, change, more)


def answered(
    arrival: Arrival, conversation: StoredConversation, closed: Sequence[StoredConversation] = ()
) -> StoragePlan:
    """Add a colleague's message to an open conversation, and let no message of a bot begin to leave from now on.

    Fails if the conversation is not as it was read. `closed` are the end user's other conversations.
    """
    changes: Changes = {
        "set": {
            "changed": change_mark(arrival.now, conversation.id),
            "last_activity": max(arrival.now, conversation.last_activity),
            "autoreply": False,
            **_names(arrival.message.user),
        },
        "add": {"epoch": 1},
        "expected": {"status": str(conversation.status), "epoch": conversation.epoch},
    }
    change = update_operation(CONVERSATIONS, conversation.key, **changes)
    return _plan(arrival, conversation.id, change, [*_users(arrival, conversation.id), *_closing(arrival, closed)])


def _plan(
    arrival: Arrival, conversation_id: str, change: WriteOperation, more: Sequence[WriteOperation]
) -> StoragePlan:
    message = put_new_operation(MESSAGES, to_message_item(arrival.stored(conversation_id)))
    event = event_of(
        arrival.tenant, arrival.message, arrival.now, conversation_id=conversation_id, bot_id=arrival.bot_id
    )
    return StoragePlan(conversation_id, event.id, [message, publish_operation(event), change, *more])


def _activity(arrival: Arrival, conversation_id: str) -> Changes:
    """What a message changes in an open conversation."""
    values: dict[str, Any] = {
        "changed": change_mark(arrival.now, conversation_id),
        "last_activity": arrival.now,
        **_names(arrival.message.user),
    }
    if arrival.bot_id:
        values["bot_id"] = arrival.bot_id
    if arrival.skip:
        values["last_turn"] = to_last_turn(arrival.skip)
    changes: Changes = {"set": values, "add": {"unread": 1}}
    if arrival.choice is not None:
        values |= {"opted_out": arrival.choice, "pending": 0}
        changes["add"] = {"unread": 1, "epoch": 1}
        changes["remove"] = ("pending_ids",)
    elif arrival.wants_turn:
        values["last_inbound"] = arrival.message_id
        changes["add"] = {"unread": 1, "pending": 1, "pending_ids": frozenset({arrival.message_id})}
        waiting = {"pending_since": arrival.now, "due": _due(arrival), "shard": shard_of(conversation_id)}
        changes["set_missing"] = waiting
    return changes


def _new_conversation(arrival: Arrival, earlier: Sequence[StoredConversation]) -> StoredConversation:
    """The conversation that the message begins. A colleague's one is taken over, and opens no window."""
    message, window = arrival.message, max((each.last_inbound_at for each in earlier), default=NEVER)
    id = derived_id(arrival.received, arrival.tenant, arrival.number_id, message.wamid)
    waits = arrival.wants_turn
    return StoredConversation(
        tenant=arrival.tenant,
        id=id,
        number_id=arrival.number_id,
        user=message.user,
        created=arrival.now,
        changed=change_mark(arrival.now, id),
        bot_id=arrival.bot_id,
        autoreply=not message.is_echo,
        opted_out=arrival.is_opted_out,
        last_activity=arrival.now,
        last_inbound=arrival.message_id if waits else None,
        last_inbound_at=window if message.is_echo else arrival.sent,
        pending=1 if waits else 0,
        pending_ids=frozenset({arrival.message_id}) if waits else frozenset(),
        pending_since=arrival.now if waits else None,
        unread=0 if message.is_echo else 1,
        due=_due(arrival) if waits else None,
        last_turn=arrival.skip,
        previous=next(iter(arrival.known.conversation_ids), None),
    )


def _due(arrival: Arrival) -> str:
    return due_text(Micros(arrival.now + arrival.config.quiet_seconds * SECOND))


def _names(user: EndUser) -> dict[str, str]:
    named = {"wa_id": user.wa_id, "user_id": user.user_id, "name": user.name}
    return {name: value for name, value in named.items() if value}


def _users(arrival: Arrival, conversation_id: str, *, begins: bool = False) -> Iterator[WriteOperation]:
    """Let the end user's names lead to the conversation, under the condition that nobody else changed them.

    One of the names of a conversation that begins is due when it may be over.
    """
    after = KnownUser(conversation_id, arrival.is_opted_out)
    keys = sorted(arrival.message.user.keys)
    for key in keys:
        due = _ends(arrival, conversation_id) if begins and key == keys[0] else {}
        before = arrival.known.users.get(key)
        if before is None:
            yield put_new_operation(CONVERSATIONS, to_user_item(arrival.tenant, arrival.number_id, key, after) | due)
        elif before != after:
            values = {"conversation_id": conversation_id, "opted_out": after.opted_out, **due}
            place = user_key(arrival.tenant, arrival.number_id, key)
            yield update_operation(
                CONVERSATIONS, place, set=values, expected={"conversation_id": before.conversation_id}
            )


def _renamed_users(arrival: Arrival, conversation_id: str) -> Iterator[WriteOperation]:
    """Let the end user's names lead to the conversation, and the replaced ones nowhere.

    The condition is that nobody else changed them: a new name may have got messages, and an opt-out, before.
    """
    renamed = (arrival.message.renamed or EndUser()).keys
    replaced = {key[:3] for key in renamed}
    after = KnownUser(conversation_id, arrival.is_opted_out)
    for key in arrival.message.names if renamed else ():
        place = user_key(arrival.tenant, arrival.number_id, key)
        before = arrival.known.users.get(key)
        ends = _ends(arrival, conversation_id)
        if before is None:
            if key in renamed:
                item = to_user_item(arrival.tenant, arrival.number_id, key, after)
                yield put_new_operation(CONVERSATIONS, item | ends)
            continue
        expected = {
            "conversation_id": before.conversation_id,
            "opted_out": True if before.opted_out else missing_or(equal(False)),
        }
        if key in renamed or key[:3] not in replaced:
            values = {"conversation_id": conversation_id, "opted_out": after.opted_out, **ends}
            yield update_operation(CONVERSATIONS, place, set=values, expected=expected)
        else:
            yield delete_operation(CONVERSATIONS, place, expected=expected)


def _ends(arrival: Arrival, conversation_id: str) -> dict[str, str]:
    """Attributes of an end user's item that is looked at when a day without a message is over."""
    return {"shard": shard_of(conversation_id), "due": due_text(Micros(arrival.now + WINDOW_HOURS * HOUR))}


def _closing(arrival: Arrival, conversations: Sequence[StoredConversation]) -> Iterator[WriteOperation]:
    """End the open ones of `conversations`, and make sure that nobody has opened one of the others again."""
    for conversation in conversations:
        if conversation.is_open:
            yield from completion_operations(conversation, arrival.now)
        else:
            yield check_operation(CONVERSATIONS, conversation.key, expected={"status": one_of(*_CLOSED)})
