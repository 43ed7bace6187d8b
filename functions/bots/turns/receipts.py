"""The read receipt and the sign that somebody types, while the model thinks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from callmissed.observability import get_logger
from callmissed.sealing import Sealer
from functions.bots.channels.whatsapp.graph import GraphClient, GraphError
from functions.bots.channels.whatsapp.sends import mark_read
from functions.bots.conversations.transcript import Transcript
from functions.bots.numbers.records import PhoneNumber

_MAX_WAIT_SECONDS = 2.0
_logger = get_logger("turn-worker")


@dataclass(frozen=True, slots=True)
class Receipts:
    """Shows end users that their messages are read. Nothing depends on it."""

    graph: GraphClient
    sealer: Sealer

    @asynccontextmanager
    async def shown(self, number: PhoneNumber, transcript: Transcript) -> AsyncGenerator[None]:
        """Show it at the beginning of the block, whose end waits a moment at most. Raises UnsealError."""
        token = self.sealer.unseal(number.token)
        wamid = next((message.wamid for message in reversed(transcript.pending) if message.wamid), None)
        if wamid is None:
            yield
            return
        showing = asyncio.ensure_future(self._show(number, token, wamid))
        try:
            yield
        finally:
            await asyncio.wait({showing}, timeout=_MAX_WAIT_SECONDS)
            showing.cancel()
            await asyncio.wait({showing})

    async def _show(self, number: PhoneNumber, token: str, wamid: str) -> None:
        try:
            await mark_read(self.graph, number.number_id, token, wamid, typing=True)
        except GraphError:
            _logger.info("a read receipt was not shown")
