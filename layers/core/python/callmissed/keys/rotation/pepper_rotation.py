"""Pepper rotation: moves a key that was admitted under an older pepper to the current one.

A move is one transaction, on the condition that the key is as it was read. A concurrent call, revocation or move makes
the transaction fail, and is never lost itself; the move is retried, then left to a later call.
"""

import asyncio
from dataclasses import replace

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, TransactionCanceled
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.keys.admission import Admitted, remember
from callmissed.keys.records import ACTIVE, move_operations, read_api_key, read_key_item
from callmissed.observability import get_logger

_MOVES = 4
_TIMEOUT_SECONDS = 2.0
_PAUSE = MINUTE

_logger = get_logger("keys")


class PepperRotation:
    """Moves keys to the current pepper. Share one per process: it caches which keys it tried to move recently."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._move_after: dict[str, int] = {}

    async def bring_home(self, admitted: Admitted, hashes: list[str]) -> Admitted:
        """Move the key to the first of its `hashes`, unless it is there or a move was tried recently.

        A failed move is not raised: the call was admitted.
        """
        current, found = hashes[0], admitted.key.key_hash
        admitted = replace(admitted, elsewhere=tuple(each for each in hashes if each != found))
        if found == current or self._move_after.get(current, 0) > admitted.now:
            return admitted
        remember(self._move_after, current, admitted.now + _PAUSE)
        if not await self._moved(admitted, current):
            return admitted
        return replace(admitted, key=replace(admitted.key, key_hash=current), elsewhere=tuple(hashes[1:]))

    async def _moved(self, admitted: Admitted, current: str) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                moved = await self._move(admitted, current)
        except (ApiError, DynamoError, TimeoutError):
            _logger.warning(
                "a key could not be moved to the current pepper", extra={"key": admitted.key.key_id}, exc_info=True
            )
            return False
        if moved:
            _logger.info("a key moved to the current pepper", extra={"key": admitted.key.key_id})
        return moved

    async def _move(self, admitted: Admitted, current: str) -> bool:
        """Move an admitted key's item to the id `current`; False when it was revoked, does not exist or keeps changing.

        Raises Unavailable; the key is then under one of the two ids, never under both.
        """
        for _ in range(_MOVES):
            item = await read_key_item(self._database, admitted.key.key_hash)
            if item is None or item.status != ACTIVE:
                return False
            api_key = await read_api_key(self._database, item.tenant, item.key_id)
            try:
                await self._database.transact(move_operations(item, api_key, current))
            except TransactionCanceled:
                continue
            return True
        return False
