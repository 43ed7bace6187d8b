"""/api/v1/conversations: what a team reads of its conversations."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from callmissed.web.caller import Caller, CallerOf, Person
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.bots.error_responses import error_responses
from functions.bots.inbox.cursors import CURSOR
from functions.bots.inbox.errors import unprocessable
from functions.bots.inbox.listing import ConversationFilter, Sort
from functions.bots.inbox.schemas import (
    ChangesOut,
    ConversationMessageOut,
    ConversationOut,
    ConversationPageOut,
    ConversationStatus,
    FoundMessagesOut,
    MessagePageOut,
    TurnOut,
    TurnPageOut,
)
from functions.bots.inbox.search import MessageSearch
from functions.bots.inbox.service import Inbox

router = APIRouter(tags=["conversations"], route_class=GatewayRoute)
PATH = "/api/v1/conversations"
ONE = f"{PATH}/{{conversation_id}}"
ENTRY_ID = "^[A-Za-z0-9_-]{1,64}$"
_ME = "me"

SearchOf = Annotated[MessageSearch, from_state("message_search")]
InboxOf = Annotated[Inbox, from_state("inbox")]
Limit = Annotated[int, Query(ge=1, le=500, description="Maximum entries of a page.")]
Cursor = Annotated[str | None, Query(pattern=CURSOR, description="`next_cursor` of the page before.")]
BeforeId = Annotated[str | None, Query(pattern=ENTRY_ID, description="Only older ones than this one.")]


PERSON = "Id of a person; or `me`, `any` for anybody, `none` for nobody."
AssignedOf = Annotated[str | None, Query(max_length=64, description=PERSON)]


async def _filter(
    caller: CallerOf,
    channel: Annotated[Literal["whatsapp", "voice"] | None, Query()] = None,
    status: Annotated[ConversationStatus | None, Query()] = None,
    bot_id: Annotated[str | None, Query(max_length=64)] = None,
    unread: Annotated[bool | None, Query(description="Whether it has messages that nobody has read.")] = None,
    assigned: AssignedOf = None,
    label: Annotated[str | None, Query(max_length=50)] = None,
) -> ConversationFilter:
    """The filter of a list."""
    return ConversationFilter(channel, status, bot_id, unread, person_of(caller, assigned), label)


def person_of(caller: Caller, assigned: str | None) -> str | None:
    """Whose conversations a filter asks for. Raises ApiError 422 for an API key that asks for its own."""
    if assigned != _ME:
        return assigned
    if not isinstance(caller, Person):
        raise unprocessable("query", "assigned", "An API key is nobody; name a person")
    return caller.user_id


@router.get(PATH, summary="List conversations", response_model=ConversationPageOut, responses=error_responses(422))
async def list_conversations(
    inbox: InboxOf,
    caller: CallerOf,
    clock: ClockOf,
    wanted: Annotated[ConversationFilter, Depends(_filter)],
    sort: Annotated[
        Sort, Query(description="`created`, or `last_activity` for the latest change (`updated_at`) first.")
    ] = Sort.CREATED,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> ConversationPageOut:
    """Conversations, newest first.

    By `last_activity`, one that changes while you read the pages moves to the front; the change feed has it.
    """
    now = clock()
    page = await inbox.page(caller.tenant, wanted, sort, limit, cursor, now)
    return ConversationPageOut(data=await inbox.shown(page.conversations, now), next_cursor=page.cursor)


@router.get(
    f"{PATH}/search", summary="Search messages", response_model=FoundMessagesOut, responses=error_responses(404, 422)
)
async def search_messages(
    search: SearchOf,
    caller: CallerOf,
    q: Annotated[str, Query(min_length=1, max_length=200, description="Words, all of which a message must have.")],
    conversation_id: Annotated[str | None, Query(max_length=64, description="Only of this conversation.")] = None,
    limit: Annotated[int, Query(ge=1, le=50, description="Maximum messages of a page.")] = 20,
    cursor: Cursor = None,
) -> FoundMessagesOut:
    """Messages with all words of `q`, newest first.

    Words are compared whole and without case. A new message is found after a few seconds; in one conversation, at once.
    """
    found = await search.find(caller.tenant, q, conversation_id, limit, cursor)
    return FoundMessagesOut(data=[ConversationMessageOut.of(each) for each in found.messages], next_cursor=found.cursor)


@router.get(f"{PATH}/changes", summary="Follow changes", response_model=ChangesOut, responses=error_responses(422))
async def list_changes(
    inbox: InboxOf,
    caller: CallerOf,
    clock: ClockOf,
    since: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the answer before, or a time in RFC 3339.")
    ] = None,
    limit: Limit = 200,
) -> ChangesOut:
    """Conversations that changed since, oldest change first, each once and as it is now.

    Without `since` you get a `next_cursor` for changes from now on: take it first, then read the list, then follow. The
    cursor stays some seconds behind, so the latest changes may be there again; none is missed.
    """
    now = clock()
    changed = await inbox.changed_since(caller.tenant, since, limit, now)
    data = await inbox.shown(changed.conversations, now)
    return ChangesOut(data=data, next_cursor=changed.cursor, has_more=changed.has_more)


@router.get(ONE, summary="Get a conversation", response_model=ConversationOut, responses=error_responses(404))
async def get_conversation(inbox: InboxOf, caller: CallerOf, clock: ClockOf, conversation_id: str) -> ConversationOut:
    """One conversation."""
    return await inbox.shown_one(await inbox.get(caller.tenant, conversation_id), clock())


@router.get(
    f"{ONE}/messages", summary="List messages", response_model=MessagePageOut, responses=error_responses(404, 422)
)
async def list_messages(
    inbox: InboxOf, caller: CallerOf, conversation_id: str, limit: Limit = 200, before_id: BeforeId = None
) -> MessagePageOut:
    """The latest messages, or those before `before_id`, oldest first. A page of long messages may end earlier."""
    page = await inbox.messages(caller.tenant, conversation_id, limit, before_id)
    return MessagePageOut(
        data=[ConversationMessageOut.of(each) for each in reversed(page.entries)], next_cursor=page.next
    )


@router.get(f"{ONE}/turns", summary="List turns", response_model=TurnPageOut, responses=error_responses(404, 422))
async def list_turns(
    inbox: InboxOf, caller: CallerOf, conversation_id: str, limit: Limit = 50, before_id: BeforeId = None
) -> TurnPageOut:
    """The latest turns, or those before `before_id`, newest first."""
    page = await inbox.turns(caller.tenant, conversation_id, limit, before_id)
    return TurnPageOut(data=[TurnOut.of(each) for each in page.entries], next_cursor=page.next)
