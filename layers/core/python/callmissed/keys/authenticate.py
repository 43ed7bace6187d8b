"""Pepper rotation: finds a key under any live pepper, and moves it to the current one.

A key is asked for where this process saw it last, else under the current pepper. When it is not there it is looked for
from the oldest pepper to the current one: keys move in that direction, so one that moves meanwhile is not missed.
A key that was admitted under an older pepper is then moved, in one transaction which demands that nothing about it has
changed since it was read. A call, a revocation or another move that comes between makes the move fail, and is never
lost itself; the move is tried again, and left to a later call when that doesn't help.
"""

import asyncio
from dataclasses import replace
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, TransactionCanceled
from callmissed.clock import MINUTE
from callmissed.errors import ApiError, invalid_api_key, service_unavailable
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.records import ACTIVE, move_operations, read_api_key, read_key_item
from callmissed.keys.secret import key_hash
from callmissed.observability import get_logger

_REMEMBERED_KEYS = 4096
_LOOKS = 4
_MOVES = 4
_PATIENCE_SECONDS = 2.0
_PAUSE = MINUTE

_logger = get_logger("keys")


class KeyAuthenticator:
    """Admits calls of keys under any of the live `peppers`, the current one first. Share one per process."""

    def __init__(self, database: Database, admission: Admission, peppers: tuple[bytes, ...]) -> None:
        self._database = database
        self._admission = admission
        self._peppers = peppers
        self._homes: dict[str, str] = {}
        self._move_after: dict[str, int] = {}

    async def admit(self, secret: str, estimate: int, now: int) -> Admitted:
        """As `Admission.admit`, for the key of `secret`.

        An unknown key costs one failed write and, while there are several peppers, a read for each. A key under an
        older pepper is moved before the answer, once; what becomes of the move doesn't touch the call.
        """
        hashes = [key_hash(pepper, secret) for pepper in self._peppers]
        if len(hashes) == 1:
            return await self._admission.admit(hashes[0], estimate, now)
        home = self._homes.get(hashes[0], hashes[0])
        for _ in range(_LOOKS):
            try:
                admitted = await self._admission.admit(home, estimate, now)
            except ApiError as error:
                if error.status != 401:
                    raise
                home = await self._locate(hashes, now)
                self._saw(hashes[0], home)
            else:
                return await self._brought_home(admitted, hashes)
        raise service_unavailable()

    async def move(self, admitted: Admitted, current: str) -> bool:
        """Move an admitted key's item to the id `current`; False when it was revoked, is gone or keeps changing.

        Raises Unavailable; the key is then under one of the two ids, never under both.
        """
        for _ in range(_MOVES):
            item = await read_key_item(self._database, admitted.key_hash)
            if item is None or item.status != ACTIVE:
                return False
            api_key = await read_api_key(self._database, item.tenant, item.key_id)
            try:
                await self._database.transact(move_operations(item, api_key, current))
            except TransactionCanceled:
                continue
            return True
        return False

    async def _locate(self, hashes: list[str], now: int) -> str:
        """The id under which the key works. Raises ApiError 401 when there is none."""
        for hashed in reversed(hashes):
            item = await read_key_item(self._database, hashed)
            if item and item.works(now):
                return hashed
        raise invalid_api_key()

    async def _brought_home(self, admitted: Admitted, hashes: list[str]) -> Admitted:
        """Move the key unless it is at home or was tried to move just now."""
        current, found = hashes[0], admitted.key_hash
        admitted = replace(admitted, elsewhere=tuple(each for each in hashes if each != found))
        if found == current or self._move_after.get(current, 0) > admitted.now:
            return admitted
        self._remember(self._move_after, current, admitted.now + _PAUSE)
        if not await self._moved(admitted, current):
            return admitted
        self._saw(current, current)
        return replace(admitted, key=replace(admitted.key, key_hash=current), elsewhere=tuple(hashes[1:]))

    async def _moved(self, admitted: Admitted, current: str) -> bool:
        key_id = admitted.key_id
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                moved = await self.move(admitted, current)
        except (ApiError, DynamoError, TimeoutError):
            _logger.warning("a key could not be moved to the current pepper", extra={"key": key_id}, exc_info=True)
            return False
        if moved:
            _logger.info("a key moved to the current pepper", extra={"key": key_id})
        return moved

    def _saw(self, current: str, home: str) -> None:
        if home == current:
            self._homes.pop(current, None)
        else:
            self._remember(self._homes, current, home)

    def _remember(self, memory: dict[str, Any], key: str, value: Any) -> None:
        if len(memory) >= _REMEMBERED_KEYS and key not in memory:
            memory.pop(next(iter(memory)))
        memory[key] = value
