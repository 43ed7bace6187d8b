"""Whether Meta or Twilio accepts the credentials of a bot: `deploy/verify`."""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from callmissed.audit.events import Actor
from callmissed.clock import Micros, iso
from callmissed.integrations.credentials import TwilioCredentials, WhatsAppCredentials
from callmissed.integrations.verification import TOKEN_REFUSED, Verifier
from callmissed.sealing import Sealer, UnsealError
from functions.bots.bots.errors import bot_changed
from functions.bots.bots.records import Bot, BotType
from functions.bots.bots.schemas import ChannelCheckOut
from functions.bots.bots.service import Bots
from functions.bots.numbers.repository import NumberRepository

_OF_WHATSAPP = (BotType.WHATSAPP, BotType.WHATSAPP_VOICE)


class ChannelCheck:
    """Checks channels, and stores the outcome in the bot's configuration."""

    def __init__(self, bots: Bots, numbers: NumberRepository, verifier: Verifier, sealer: Sealer) -> None:
        self._bots = bots
        self._numbers = numbers
        self._verifier = verifier
        self._sealer = sealer

    async def verify(self, tenant: str, bot_id: str, actor: Actor, now: Micros) -> ChannelCheckOut:
        """The outcome, which is stored. Raises ApiError 404, and 409 where the configuration changed meanwhile."""
        checked = await self._bots.get(tenant, bot_id)
        fault = await self._fault(checked)
        outcome = ChannelCheckOut(channel_verified=not fault, last_verified_at=iso(now), error_message=fault)

        def changed(bot: Bot) -> Bot:
            if (bot.config, bot.sealed) != (checked.config, checked.sealed):
                raise bot_changed()
            return replace(bot, config={**(bot.config or {}), **outcome.model_dump()})

        await self._bots.change(tenant, bot_id, "verify", changed, actor, now)
        return outcome

    async def _fault(self, bot: Bot) -> str | None:
        """What is wrong with the bot's credentials."""
        try:
            config = {**(bot.config or {}), **{str(path[0]): value for path, value in self._top_level(bot)}}
            return await (self._whatsapp(bot, config) if bot.type in _OF_WHATSAPP else self._twilio(config))
        except UnsealError:
            return "The stored credentials can't be read. Please save them again."
        except ValidationError:
            return "The credentials are empty."

    def _top_level(self, bot: Bot) -> list[tuple[tuple[str | int, ...], Any]]:
        return [(path, value) for path, value in self._bots.credentials(bot).items() if len(path) == 1]

    async def _whatsapp(self, bot: Bot, config: dict[str, Any]) -> str | None:
        number_id, token = config.get("phone_number_id"), config.get("access_token")
        number = await self._numbers.get(bot.tenant, number_id) if number_id and not token else None
        token = self._sealer.unseal(number.token) if number else token
        if not number_id or not token:
            return "The configuration needs phone_number_id and access_token."
        fault = await self._verifier.fault(
            WhatsAppCredentials(phone_number_id=number_id, access_token=token, verify_token="unused")  # noqa: S106
        )
        if number and fault == TOKEN_REFUSED:
            await self._numbers.disconnect(number, None)
        return fault

    async def _twilio(self, config: dict[str, Any]) -> str | None:
        sid, token = config.get("account_sid"), config.get("auth_token")
        if not sid or not token:
            return "The configuration needs account_sid and auth_token."
        return await self._verifier.fault(TwilioCredentials(account_sid=sid, auth_token=token, phone_number="+10"))
