"""A reply that is one JSON object, kept until it is whole; implements `Meter`."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.streams.sse import BYTE_ORDER_MARK
from callmissed_ai.tokens.usage import TokenUsage

_TOO_LONG = "too long"


class UnusableReply(Exception):
    """The reply is no answer to the request; says why, in words for the operator's log."""


Pass = Callable[[bytes, dict[str, Any]], bytes]
"""What to pass on of a whole reply: its bytes, or others. Raises UnusableReply."""


WriteUsage = Callable[[TokenUsage], Mapping[str, Any]]
"""Usage as the caller's dialect has it in a whole reply."""


class JsonReplyMeter:
    """Passes nothing on before the end, then what `passed` makes of the whole reply of at most `max_bytes`.

    `write_usage` shows the caller what is counted for a reply that reports no usage; None for replies that have none.
    """

    def __init__(
        self,
        passed: Pass,
        charge: Callable[[dict[str, Any]], Awaitable[Charges]],
        max_bytes: int = MAX_BODY_BYTES,
        write_usage: WriteUsage | None = None,
    ) -> None:
        self.begun = False
        self.finished = False
        self.broken = ""
        self._max_bytes = max_bytes
        self._passed = passed
        self._write_usage = write_usage
        self._charge = charge
        self._body = bytearray()
        self._reply: dict[str, Any] = {}
        self._sent = b""
        self._response: dict[str, Any] | None = None

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _TOO_LONG

    def feed(self, chunk: bytes) -> bytes:
        """Keep what the upstream sent; returns b""."""
        self.begun = self.begun or bool(chunk)
        self._body += chunk
        if len(self._body) > self._max_bytes:
            self.broken, self._body = _TOO_LONG, bytearray()
        return b""

    def end(self) -> bytes:
        """Read the whole reply; returns what to pass on of it."""
        body, self._body = bytes(self._body).removeprefix(BYTE_ORDER_MARK), bytearray()
        try:
            self._reply = _object(body)
            passed = self._passed(body, self._reply)
        except UnusableReply as error:
            self.broken = str(error)
            return b""
        self.finished, self._sent = True, passed
        return passed

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        charges = await self._charge(self._reply)
        if self.finished and charges.counted and self._write_usage:
            shown: dict[str, Any] = json.loads(self._sent)
            self._sent = written_json({**shown, "usage": self._write_usage(charges.counted)})
        return charges

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return self._sent if self.finished else body

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        if self._response is None and self.finished:
            self._response = json.loads(self._sent)
        return self._response

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """Nothing: a whole reply has no last bytes."""
        return b""


def _object(body: bytes) -> dict[str, Any]:
    try:
        reply = read_strictly(body)
    except ValueError:
        raise UnusableReply("not JSON") from None
    if not isinstance(reply, dict):
        raise UnusableReply("no object")
    return cast("dict[str, Any]", reply)
