"""/api/v1/conversations/{conversation_id}/ai-draft: a suggested reply."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from callmissed.errors import ApiError
from callmissed.keys.secret import Mode
from callmissed.web.caller import CallerOf, KeyCaller
from callmissed.web.dependencies import from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from callmissed.web.schemas import RequestModel
from functions.bots.error_responses import error_responses
from functions.bots.inbox.drafts import Drafts
from functions.bots.inbox.routes import ONE

router = APIRouter(tags=["conversations"], route_class=GatewayRoute)
DraftsOf = Annotated[Drafts, from_state("drafts")]


class DraftRequest(RequestModel):
    """What the draft should be like."""

    model_config = ConfigDict(json_schema_extra={"example": {"instruction": "Offer a refund."}})

    instruction: str | None = Field(default=None, max_length=1000, description="A wish of the person who will send it.")


class DraftOut(BaseModel):
    """A suggested reply, which was not sent."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"draft": "It arrives tomorrow.", "used_default_prompt": False}}
    )

    draft: str = Field(description="At most 4,096 characters.")
    used_default_prompt: bool = Field(description="Whether no bot with a prompt was there.")


@router.post(
    f"{ONE}/ai-draft",
    summary="Draft a reply",
    response_model=DraftOut,
    responses=error_responses(402, 404, 422, changes=True),
)
async def draft_reply(
    drafts: DraftsOf,
    caller: CallerOf,
    operation: OperationOf,
    conversation_id: str,
    request: DraftRequest | None = None,
) -> DraftOut:
    """What the bot would answer now. Nothing is sent. The call costs the tenant what its model costs.

    400 `no_messages`: there is no text to answer. 503 `ai_failed`: the model gave no reply.
    """
    if isinstance(caller, KeyCaller) and caller.mode == Mode.TEST:
        raise ApiError(403, "permission_denied", "A test key never spends credits. Use a live key for drafts.")
    instruction = request.instruction if request else None
    draft = await drafts.write(caller.tenant, conversation_id, instruction, operation)
    return DraftOut(draft=draft.text, used_default_prompt=draft.used_default_prompt)
