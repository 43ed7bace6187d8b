"""A meter of streams that are read as neutral events, whether they pass on as they are or translated."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import Event, PartGrew, PartStarted, ReplyStopped, ToolCall, UsageReported
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_reader import UnreadableStream
from callmissed_ai.tokens.usage import TokenUsage, larger

_RUNAWAY = "a reply far above its output limit"
_NEVER_BEGUN = "no reply in the stream"

Passage = tuple[Sequence[Event], bytes]
"""What happens, and the bytes that the caller gets for it."""


class StreamPassage(Protocol):
    """What becomes of the upstream's bytes on their way to the caller, however they are cut."""

    @property
    def finished(self) -> bool:
        """Whether the reply is complete."""
        ...

    def feed(self, body: bytes) -> Iterator[Passage]:
        """What `body` completes. Raises UnreadableStream."""
        ...

    def end(self) -> Iterator[Passage]:
        """What the end of the body completes. Raises UnreadableStream where the reply is not complete."""
        ...

    def count(self, used: TokenUsage) -> None:
        """See `StreamWriter.count`."""
        ...

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        ...

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        ...


class StreamMeter:
    """Meters one stream; implements `Meter`."""

    def __init__(self, passage: StreamPassage, bounds: OutputBounds, charge: Charge) -> None:
        self.usage: TokenUsage | None = None
        self.begun = False
        self.broken = ""
        self._passage = passage
        self._bounds = bounds
        self._charge = charge
        self._body_bytes = 0
        self._characters = 0
        self._unreported: list[str] = []
        self._is_covered = False

    @property
    def finished(self) -> bool:
        """See `Meter.finished`."""
        return self._passage.finished and not self.broken

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _RUNAWAY

    def feed(self, chunk: bytes) -> bytes:
        """See `Meter.feed`."""
        self._body_bytes += len(chunk)
        if self._body_bytes > self._bounds.body_bytes:
            self.broken = self.broken or _RUNAWAY
        return self._passed(self._passage.feed(chunk))

    def end(self) -> bytes:
        """See `Meter.end`."""
        passed = self._passed(self._passage.end())
        if self.finished and not self.begun:
            self.broken = _NEVER_BEGUN
        return passed

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        charges = await self._charge(self.usage, lambda: "".join(self._unreported))
        if charges.counted:
            self._passage.count(charges.counted)
        return charges

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return body

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        return self._passage.response if self.finished else None

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        return self._passage.closing(error, request_id)

    def _passed(self, passages: Iterable[Passage]) -> bytes:
        passed: list[bytes] = []
        if self.broken:
            return b""
        try:
            for events, written in passages:
                for event in events:
                    self._count(event)
                if self.broken:
                    break
                passed.append(written)
        except UnreadableStream as error:
            self.broken = str(error)
        return b"".join(passed)

    def _count(self, event: Event) -> None:
        match event:
            case PartGrew():
                self.begun = self.begun or bool(event.text)
                self._count_text(event.text)
            case PartStarted(part=ToolCall(name=name)):
                self.begun = True
                self._count_text(name)
            case ReplyStopped():
                self.begun = True
            case UsageReported():
                self._report(event)
            case _:
                pass

    def _count_text(self, text: str) -> None:
        """Count what was written. What a reader kept until the end was written before a report, which covers it."""
        self._characters += len(text)
        if not (self._is_covered and self._passage.finished):
            self._unreported.append(text)
        if self._characters > self._bounds.characters:
            self.broken = _RUNAWAY

    def _report(self, event: UsageReported) -> None:
        """Take a report of usage. It covers all that was written before, unless an earlier one says more."""
        usage = event.usage
        self._is_covered = self._is_covered or not event.at_start
        if self.usage is None or usage.output >= self.usage.output:
            self._unreported.clear()
        self.usage = larger(self.usage, usage)
