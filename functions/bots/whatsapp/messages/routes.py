"""/api/v1/whatsapp/messages."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response

from callmissed.clock import Clock
from callmissed.idempotency.operation import Operation
from callmissed.web.caller import Caller, CallerOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.bots.error_responses import error_responses
from functions.bots.whatsapp.media.service import WhatsAppMedia
from functions.bots.whatsapp.messages.lookup import MessageLookup
from functions.bots.whatsapp.messages.sandbox_results import sandbox_result
from functions.bots.whatsapp.messages.schemas import (
    MessageDetails,
    NewContacts,
    NewInteractive,
    NewLocation,
    NewMedia,
    NewReaction,
    NewText,
    ReadReceipt,
    ReadResult,
    SendResult,
)
from functions.bots.whatsapp.messages.service import WhatsAppMessages, is_done
from functions.bots.whatsapp.sandbox import SANDBOX_HEADER, is_sandboxed
from functions.bots.whatsapp.selectors import NewMessage


class WamidRoute(GatewayRoute):
    """A route with a wamid, which may have an encoded slash: API Gateway has matched it as one segment."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.resource = path.replace(":path", "")


router = APIRouter(tags=["whatsapp"], route_class=GatewayRoute)
by_wamid = APIRouter(tags=["whatsapp"], route_class=WamidRoute)
_PATH = "/api/v1/whatsapp/messages"
_MESSAGE = f"{_PATH}/{{wamid:path}}"
_ERRORS = error_responses(404, 409, 422, 502, changes=True)
_WAITS = {202: {"model": SendResult, "description": "Accepted: some messages are on their way."}}
_RESPONSES = {**_WAITS, **_ERRORS}

MessagesOf = Annotated[WhatsAppMessages, from_state("messages")]
MediaOf = Annotated[WhatsAppMedia, from_state("media")]
LookupOf = Annotated[MessageLookup, from_state("message_lookup")]
WamidOf = Annotated[str, Path(min_length=1, max_length=128, description="WhatsApp's id of a message.")]


@router.post(_PATH, summary="Send a text", response_model=SendResult, responses=_RESPONSES)
async def send_text(
    messages: MessagesOf, caller: CallerOf, operation: OperationOf, clock: ClockOf, response: Response, new: NewText
) -> SendResult:
    """Send a text, in parts where it is longer than 4,096 characters.

    A signed-in person's message takes the conversation over from its bot. 202: some parts are on their way, in their
    order, or Meta gave no answer; `GET /conversations/{id}/messages` and the event `message.status` have the outcome.
    """
    return await _answer(messages, caller, operation, clock, response, new, "text")


@router.post(f"{_PATH}/media", summary="Send media", response_model=SendResult, responses=_RESPONSES)
async def send_media(
    messages: MessagesOf,
    media: MediaOf,
    caller: CallerOf,
    operation: OperationOf,
    clock: ClockOf,
    response: Response,
    new: NewMedia,
) -> SendResult:
    """Send an image, a document, audio, a video or a sticker, by `media_id` or by a `link` that Meta fetches."""
    if new.media_id is None or is_sandboxed(caller):
        return await _answer(messages, caller, operation, clock, response, new, new.media_type)
    number = await messages.recipients.number(caller.tenant, new)
    meta_id = await media.meta_id(caller.tenant, new.media_id, number)
    return await _answer(messages, caller, operation, clock, response, new, new.media_type, meta_id)


@router.post(f"{_PATH}/interactive", summary="Send buttons or a list", response_model=SendResult, responses=_RESPONSES)
async def send_interactive(
    messages: MessagesOf,
    caller: CallerOf,
    operation: OperationOf,
    clock: ClockOf,
    response: Response,
    new: NewInteractive,
) -> SendResult:
    """Send reply buttons, a list or a link button, as Meta's own `interactive` object or by flat fields."""
    return await _answer(messages, caller, operation, clock, response, new, "interactive")


@router.post(f"{_PATH}/reaction", summary="React to a message", response_model=SendResult, responses=_RESPONSES)
async def send_reaction(
    messages: MessagesOf, caller: CallerOf, operation: OperationOf, clock: ClockOf, response: Response, new: NewReaction
) -> SendResult:
    """React to a message of the user's or of ours; an empty `emoji` takes the reaction back."""
    return await _answer(messages, caller, operation, clock, response, new, "reaction")


@router.post(f"{_PATH}/location", summary="Send a place", response_model=SendResult, responses=_RESPONSES)
async def send_location(
    messages: MessagesOf, caller: CallerOf, operation: OperationOf, clock: ClockOf, response: Response, new: NewLocation
) -> SendResult:
    """Send a place."""
    return await _answer(messages, caller, operation, clock, response, new, "location")


@router.post(f"{_PATH}/contacts", summary="Send contacts", response_model=SendResult, responses=_RESPONSES)
async def send_contacts(
    messages: MessagesOf, caller: CallerOf, operation: OperationOf, clock: ClockOf, response: Response, new: NewContacts
) -> SendResult:
    """Send cards of contacts."""
    return await _answer(messages, caller, operation, clock, response, new, "contacts")


@by_wamid.get(_MESSAGE, summary="Get a message", response_model=MessageDetails, responses=error_responses(404, 422))
async def get_message(lookup: LookupOf, caller: CallerOf, wamid: WamidOf) -> MessageDetails:
    """One message by WhatsApp's own id, a moment after it is stored."""
    return MessageDetails.of(await lookup.get(caller.tenant, wamid))


@by_wamid.post(
    f"{_MESSAGE}/read",
    summary="Mark a message as read",
    response_model=ReadResult,
    responses=error_responses(404, 409, 422, 502, changes=True),
)
async def read_message(
    lookup: LookupOf,
    caller: CallerOf,
    response: Response,
    wamid: WamidOf,
    receipt: Annotated[ReadReceipt | None, Body()] = None,
) -> ReadResult:
    """Show the user that the message, and those before it, were read and, with `typing`, that somebody writes."""
    if is_sandboxed(caller):
        response.headers[SANDBOX_HEADER] = "true"
        return ReadResult()
    await lookup.mark_read(caller.tenant, wamid, typing=receipt is not None and receipt.typing)
    return ReadResult()


async def _answer(
    messages: WhatsAppMessages,
    caller: Caller,
    operation: Operation,
    clock: Clock,
    response: Response,
    new: NewMessage,
    kind: str,
    meta_media_id: str | None = None,
) -> SendResult:
    if is_sandboxed(caller):
        await messages.recipients.number(caller.tenant, new)
        response.headers[SANDBOX_HEADER] = "true"
        return sandbox_result(new, kind, operation, clock())
    result = await messages.send(caller, new, operation, meta_media_id=meta_media_id)
    response.status_code = 200 if is_done(result) else 202
    return result
