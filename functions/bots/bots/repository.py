"""Reads and conditional writes of bots."""

from collections.abc import Sequence
from dataclasses import replace

from callmissed.aws.comparisons import begins_with, between
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import (
    WriteOperation,
    delete_operation,
    discard_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.platform.tables import BOTS
from callmissed.tenants.bots import BOT, bot_key
from functions.bots.bots.records import Bot, bot_of, count_key, to_bot_item

_REFUSED = "ConditionalCheckFailed"


class BotExists(Exception):
    """A bot with this id was created before."""


class BotRepository:
    """The bots of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, bot_id: str) -> Bot | None:
        """The bot with its count, strongly consistent, in one round trip."""
        bot, count = await self._database.get_across((BOTS, bot_key(tenant, bot_id)), (BOTS, count_key(tenant, bot_id)))
        return bot_of(bot, count.get("n", 0)) if bot else None

    async def newest(self, tenant: str, before: str | None, max_bots: int, max_bytes: int) -> tuple[list[Bot], bool]:
        """The newest bots, of those older than the bot `before`, and whether there are more.

        There are `max_bots` at most, and as many as `max_bytes` of prompts and configurations allow.
        """
        sort = between(BOT, BOT + before) if before else begins_with(BOT)
        found: list[Bot] = []
        size = 0
        async for item in self._database.query(BOTS, tenant, sort=sort, newest_first=True, consistent=True):
            if item["id"] == before:
                continue
            size += len(item["system_prompt"].encode()) + len(item.get("config", "").encode())
            if found and (len(found) == max_bots or size > max_bytes):
                return await self._counted(found), True
            found.append(bot_of(item))
        return await self._counted(found), False

    async def create(self, bot: Bot, audit: WriteOperation) -> None:
        """Write a new bot and `audit` it. Raises BotExists."""
        try:
            await self._database.transact([put_new_operation(BOTS, to_bot_item(bot)), audit])
        except TransactionCanceled as canceled:
            if canceled.reasons[0] == _REFUSED:
                raise BotExists from canceled
            raise

    async def change(self, before: Bot, after: Bot, audit: WriteOperation) -> Bot | None:
        """Write `after` in the place of `before` and `audit` it; None when the bot was changed or deleted since."""
        after = replace(after, revision=before.revision + 1)
        put = put_operation(BOTS, to_bot_item(after), expected={"rev": before.revision})
        return after if await self._done([put, audit]) else None

    async def delete(self, bot: Bot, more: Sequence[WriteOperation]) -> bool:
        """Delete the bot and its count, and execute `more`; False when the bot was changed or deleted since."""
        deleted = delete_operation(BOTS, bot.key, expected={"rev": bot.revision})
        return await self._done([deleted, discard_operation(BOTS, count_key(bot.tenant, bot.id)), *more])

    async def _done(self, operations: Sequence[WriteOperation]) -> bool:
        """Whether the transaction was executed; False where the first condition does not hold."""
        try:
            await self._database.transact(operations)
        except TransactionCanceled as canceled:
            if _REFUSED in canceled.reasons:
                return False
            raise
        return True

    async def _counted(self, bots: Sequence[Bot]) -> list[Bot]:
        """`bots` with their counts."""
        keys = [count_key(bot.tenant, bot.id) for bot in bots]
        items = await self._database.get_all(BOTS, keys) if keys else []
        counts = {item["item"]: item["n"] for item in items}
        return [
            replace(bot, conversation_count=counts.get(key["item"], 0)) for bot, key in zip(bots, keys, strict=True)
        ]


def count_operation(tenant: str, bot_id: str) -> WriteOperation:
    """Count one more conversation of the bot. Execute it in the transaction that creates the conversation."""
    return update_operation(BOTS, count_key(tenant, bot_id), add={"n": 1}, upsert=True)


def touch_operation(tenant: str, bot_id: str) -> WriteOperation:
    """Fail the transaction without the bot, and each concurrent deletion of it: as something comes to name the bot."""
    return update_operation(BOTS, bot_key(tenant, bot_id), add={"rev": 1})
