"""A tenant's bots: creating, changing, toggling, deleting.

Every change is conditional on the revision that it read, and is retried on the current bot after a concurrent change.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from callmissed.audit.events import Actor, audit_operation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.sealing import Sealer
from functions.bots.bots.audit import bot_event, described, difference
from functions.bots.bots.config import checked_channel, with_outcome
from functions.bots.bots.credentials import NothingToKeep, Values, kept, masked, seal, unseal
from functions.bots.bots.errors import bot_changed, bot_not_found
from functions.bots.bots.records import MAX_STORED_BYTES, MAX_TOGGLES, Bot, stored_bytes
from functions.bots.bots.repository import BotExists, BotRepository
from functions.bots.bots.schemas import BotChanges, NewBot
from functions.bots.numbers.repository import NumberRepository, unlink_operation

MAX_PAGE_BOTS, MAX_PAGE_BYTES = 100, 2 * 1024 * 1024
"""Bounds of a list, whose answer Lambda cuts at 6 MB. Characters may take three times their bytes in JSON."""

_MAX_NUMBERS = 90
"""Numbers that one transaction unlinks, beside the bot, its count and the audit event."""

_TRIES = 5


class Bots:
    """The bots of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, bots: BotRepository, numbers: NumberRepository, sealer: Sealer) -> None:
        self._bots = bots
        self._numbers = numbers
        self._sealer = sealer

    async def newest(self, tenant: str, limit: int, before: str | None) -> tuple[list[Bot], bool]:
        """The newest bots, of those older than the bot `before`, and whether there are more."""
        found, more = await self._bots.newest(tenant, before, limit, MAX_PAGE_BYTES)
        return sorted(found, key=lambda bot: (bot.created, bot.id), reverse=True), more

    async def get(self, tenant: str, bot_id: str) -> Bot:
        """The bot. Raises ApiError 404."""
        bot = await self._bots.get(tenant, bot_id)
        if bot is None:
            raise bot_not_found()
        return bot

    async def create(self, tenant: str, new: NewBot, actor: Actor, now: Micros, operation: Operation) -> Bot:
        """A new bot; the same `operation` gives the same bot. Raises ApiError 422."""
        bot = _storable(
            Bot(
                tenant=tenant,
                id=operation.new_uuid("bot", now),
                name=new.name,
                type=new.type,
                system_prompt=new.system_prompt,
                created=now,
                updated=now,
                **self._configured(new.config, None),
            )
        )
        try:
            await self._bots.create(bot, audit_operation(bot_event("create", bot, actor, described(bot)), now))
        except BotExists:
            return await self.get(tenant, bot.id)
        return bot

    async def update(self, tenant: str, bot_id: str, changes: BotChanges, actor: Actor, now: Micros) -> Bot:
        """The bot after `changes`. Raises ApiError 404, 409, 422."""

        def changed(bot: Bot) -> Bot:
            fields: dict[str, Any] = {"name": changes.name, "system_prompt": changes.system_prompt}
            configured = {} if changes.config is None else self._configured(changes.config, bot)
            given = {name: value for name, value in fields.items() if value is not None}
            return _storable(replace(bot, **given, **configured))

        return await self.change(tenant, bot_id, "update", changed, actor, now)

    async def toggle(self, tenant: str, bot_id: str, actor: Actor, now: Micros, operation: Operation) -> Bot:
        """The bot, active if it was not; the same `operation` toggles once. Raises ApiError 404, 409."""

        def changed(bot: Bot) -> Bot | None:
            if operation.id in bot.toggled_by:
                return None
            known = (*bot.toggled_by, operation.id)[-MAX_TOGGLES:]
            return replace(bot, is_active=not bot.is_active, toggled_by=known)

        return await self.change(tenant, bot_id, "toggle", changed, actor, now)

    async def delete(self, tenant: str, bot_id: str, actor: Actor, now: Micros) -> None:
        """Delete the bot and unlink its numbers, whose messages are then stored and not answered. Raises ApiError."""
        for _ in range(_TRIES):
            bot = await self.get(tenant, bot_id)
            numbers = await self._numbers.of_bot(tenant, bot_id)
            for number in numbers[_MAX_NUMBERS:]:
                await self._numbers.unlink(number, bot_id)
            unlinked = [unlink_operation(number, bot_id) for number in numbers[:_MAX_NUMBERS]]
            event = bot_event("delete", bot, actor, described(bot))
            if await self._bots.delete(bot, [*unlinked, audit_operation(event, now)]):
                return
        raise bot_changed()

    async def change(
        self,
        tenant: str,
        bot_id: str,
        action: str,
        changed: Callable[[Bot], Bot | None],
        actor: Actor,
        now: Micros,
    ) -> Bot:
        """Write what `changed` makes of the current bot, nothing for None; audited as `action`. Returns the bot.

        Raises ApiError 404, and 409 when the bot is changed concurrently at each try.
        """
        for _ in range(_TRIES):
            before = await self.get(tenant, bot_id)
            after = changed(before)
            if after is None:
                return before
            event = bot_event(action, before, actor, difference(before, after))
            written = await self._bots.change(before, replace(after, updated=now), audit_operation(event, now))
            if written:
                return written
        raise bot_changed()

    def credentials(self, bot: Bot) -> Values:
        """Values of the bot's credentials by their path. Raises UnsealError."""
        return unseal(bot.sealed, self._sealer)

    def _configured(self, config: Mapping[str, Any] | None, before: Bot | None) -> dict[str, Any]:
        """The fields of a bot with `config`, where masks stand for values of the bot `before`. Raises ApiError 422."""
        if config is None:
            return {}
        shown, values = masked(config)
        stored = (before.config or {}) if before else {}
        earlier = self.credentials(before) if before else {}
        try:
            found = kept(shown, values, stored, earlier)
        except NothingToKeep as error:
            raise _refused("There is no stored value to keep", *error.path) from error
        is_same = checked_channel(shown, found) == checked_channel(stored, earlier)
        shown = with_outcome(shown, stored if is_same else {})
        return {"config": shown, "sealed": seal(found, self._sealer)}


def _storable(bot: Bot) -> Bot:
    """The bot. Raises ApiError 422 for one that is too large for the table."""
    if stored_bytes(bot) > MAX_STORED_BYTES:
        raise _refused(f"With its prompt and its credentials the bot is larger than {MAX_STORED_BYTES} bytes")
    return bot


def _refused(text: str, *path: str | int) -> ApiError:
    details = [{"loc": ["body", "config", *path], "msg": text}]
    return ApiError(422, "invalid_request_error", "The request is invalid.", details=details)
