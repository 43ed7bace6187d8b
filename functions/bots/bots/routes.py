"""/api/v1/bots: a tenant's bots."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from callmissed.web.actor import ActorOf
from callmissed.web.caller import CallerOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.bots.bots.channel_check import ChannelCheck
from functions.bots.bots.checks import problems_of, warnings_of
from functions.bots.bots.config import BotConfig
from functions.bots.bots.schemas import BotChanges, BotOut, ChannelCheckOut, ConfigCheckOut, ConfigToCheck, NewBot
from functions.bots.bots.service import MAX_PAGE_BOTS, Bots
from functions.bots.dependencies import BotIdOf, check_live
from functions.bots.error_responses import error_responses

router = APIRouter(prefix="/api/v1/bots", tags=["bots"], route_class=GatewayRoute)

BotsOf = Annotated[Bots, from_state("bots")]
ChannelCheckOf = Annotated[ChannelCheck, from_state("channel_check")]
LimitOf = Annotated[int, Query(ge=1, le=MAX_PAGE_BOTS, description="Maximum number of bots.")]
BeforeOf = Annotated[UUID | None, Query(description="Id of a bot: those that are older are listed.")]


@router.get("", summary="List bots", response_model=list[BotOut], responses=error_responses(422))
async def list_bots(
    bots: BotsOf, caller: CallerOf, response: Response, limit: LimitOf = MAX_PAGE_BOTS, before: BeforeOf = None
) -> list[BotOut]:
    """The tenant's bots, newest first.

    Where there are more than fit the answer, the header `Link` names the next page, with `rel="next"`.
    """
    found, more = await bots.newest(caller.tenant, limit, str(before) if before else None)
    if more:
        oldest = min(bot.id for bot in found)
        response.headers["Link"] = f'</api/v1/bots?limit={limit}&before={oldest}>; rel="next"'
    return [BotOut.of(bot) for bot in found]


@router.post(
    "", summary="Create a bot", status_code=201, response_model=BotOut, responses=error_responses(422, changes=True)
)
async def create_bot(
    bots: BotsOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, operation: OperationOf, new: NewBot
) -> BotOut:
    """A new, active bot. Link a phone number to it, or it has nobody to answer."""
    return BotOut.of(await bots.create(caller.tenant, new, actor, clock(), operation))


@router.get("/config-schema", summary="Schema of a configuration", responses=error_responses())
async def config_schema(_caller: CallerOf) -> dict[str, Any]:
    """The JSON schema of a bot's `config`, with the defaults. Further fields are allowed."""
    return BotConfig.model_json_schema()


@router.post(
    "/validate-config",
    summary="Check a configuration",
    response_model=ConfigCheckOut,
    responses=error_responses(422, changes=True),
)
async def validate_config(_caller: CallerOf, body: ConfigToCheck) -> ConfigCheckOut:
    """What a bot with this `config` would be refused or warned for. Nothing is stored."""
    errors = problems_of(body.config)
    return ConfigCheckOut(valid=not errors, errors=errors, config_warnings=warnings_of(body.config))


@router.get("/{bot_id}", summary="Get a bot", response_model=BotOut, responses=error_responses(404, 422))
async def get_bot(bots: BotsOf, caller: CallerOf, bot_id: BotIdOf) -> BotOut:
    """One bot."""
    return BotOut.of(await bots.get(caller.tenant, bot_id))


@router.put(
    "/{bot_id}", summary="Change a bot", response_model=BotOut, responses=error_responses(404, 422, changes=True)
)
async def change_bot(
    bots: BotsOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, bot_id: BotIdOf, changes: BotChanges
) -> BotOut:
    """Change what the body names, and nothing else. Turns that begin later use the change; `type` stays."""
    return BotOut.of(await bots.update(caller.tenant, bot_id, changes, actor, clock()))


@router.post(
    "/{bot_id}/toggle",
    summary="Turn a bot on or off",
    response_model=BotOut,
    responses=error_responses(404, 422, changes=True),
)
async def toggle_bot(
    bots: BotsOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, operation: OperationOf, bot_id: BotIdOf
) -> BotOut:
    """Flip `is_active`. While a bot is off, messages are stored and not answered."""
    return BotOut.of(await bots.toggle(caller.tenant, bot_id, actor, clock(), operation))


@router.delete("/{bot_id}", summary="Delete a bot", status_code=204, responses=error_responses(404, 409, 422))
async def delete_bot(bots: BotsOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, bot_id: BotIdOf) -> None:
    """Delete the bot for good. Its numbers are unlinked: messages to them are stored and not answered."""
    await bots.delete(caller.tenant, bot_id, actor, clock())


@router.post(
    "/{bot_id}/deploy/verify",
    summary="Check a bot's channel",
    response_model=ChannelCheckOut,
    responses=error_responses(404, 422, changes=True),
)
async def verify_channel(
    check: ChannelCheckOf, caller: CallerOf, actor: ActorOf, clock: ClockOf, bot_id: BotIdOf
) -> ChannelCheckOut:
    """Ask Meta or Twilio whether they accept the configuration's credentials. The outcome is stored in it too.

    A bot of a WhatsApp type needs `phone_number_id` and `access_token`, or a connected number of this id; one for calls
    needs `account_sid` and `auth_token`.
    """
    check_live(caller)
    return await check.verify(caller.tenant, bot_id, actor, clock())
