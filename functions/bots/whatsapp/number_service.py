"""A tenant's WhatsApp numbers: their bot, and the switch of their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from callmissed.audit.events import Actor, audit_operation
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from functions.bots.bots.errors import bot_not_found
from functions.bots.bots.records import BotType
from functions.bots.bots.repository import BotRepository, touch_operation
from functions.bots.numbers.records import PhoneNumber, WhatsAppAccount
from functions.bots.numbers.repository import NumberRepository, save_operation
from functions.bots.whatsapp.number_audit import number_event

_TRIES = 5
_OF_WHATSAPP = (BotType.WHATSAPP, BotType.WHATSAPP_VOICE)


class BotOfNumber:
    """Checks bots that are to answer numbers."""

    def __init__(self, bots: BotRepository) -> None:
        self._bots = bots

    async def check(self, tenant: str, bot_id: str) -> None:
        """Raises ApiError 404 for a bot that is not the tenant's, 422 for one of another channel."""
        bot = await self._bots.get(tenant, bot_id)
        if bot is None:
            raise bot_not_found()
        if bot.type not in _OF_WHATSAPP:
            details = [{"loc": ["body", "bot_id"], "msg": f"A bot of type {bot.type} answers no WhatsApp number"}]
            raise ApiError(422, "invalid_request_error", "The request is invalid.", details=details)


@dataclass(frozen=True, slots=True)
class NumberChange:
    """New values of a number's `fields`, audited as `action`, with `more` in the same transaction."""

    action: str
    fields: Mapping[str, Any]
    more: Sequence[WriteOperation] = ()


class Numbers:
    """The numbers of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, numbers: NumberRepository, bots: BotOfNumber) -> None:
        self._numbers = numbers
        self._bots = bots

    async def accounts(self, tenant: str) -> list[WhatsAppAccount]:
        """The tenant's accounts, oldest first."""
        return await self._numbers.accounts(tenant)

    async def of_tenant(self, tenant: str) -> list[PhoneNumber]:
        """The tenant's numbers, oldest first."""
        return await self._numbers.of_tenant(tenant)

    async def link(self, tenant: str, phone_id: str, bot_id: str | None, actor: Actor, now: Micros) -> PhoneNumber:
        """The number, which the bot answers from now on; None for no bot. Raises ApiError 404, 409, 422."""
        if bot_id:
            await self._bots.check(tenant, bot_id)
        touched = (touch_operation(tenant, bot_id),) if bot_id else ()
        return await self._change(tenant, phone_id, NumberChange("link", {"bot_id": bot_id}, touched), actor, now)

    async def switch(self, tenant: str, phone_id: str, enabled: bool, actor: Actor, now: Micros) -> PhoneNumber:
        """The number, whose bot answers or not. Raises ApiError 404, 409."""
        return await self._change(tenant, phone_id, NumberChange("switch", {"autoreply": enabled}), actor, now)

    async def _change(self, tenant: str, phone_id: str, change: NumberChange, actor: Actor, now: Micros) -> PhoneNumber:
        for _ in range(_TRIES):
            before = await self._numbers.find(tenant, phone_id)
            if before is None:
                raise ApiError(404, "not_found", "Phone number not found")
            event = number_event(change.action, before, actor, change.fields)
            after = replace(before, **change.fields)
            if await self._numbers.execute([save_operation(after, before), *change.more, audit_operation(event, now)]):
                return after
        raise ApiError(409, "conflict", "The number or its bot changed at the same time. Please retry.")
