"""A transport that answers from a list and keeps what it was sent."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from callmissed_ai.transports.base import UpstreamCall, UpstreamReply


@dataclass
class RecordedReply:
    """An answer; implements `UpstreamReply`."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        middle = len(self.body) // 2
        for part in (self.body[:middle], self.body[middle:]):
            yield part

    async def close(self) -> None:
        self.closed = True


@dataclass
class RecordedTransport:
    """Answers each call by `answer`; implements `Transport`."""

    answer: Callable[[UpstreamCall], RecordedReply]
    calls: list[UpstreamCall] = field(default_factory=list[UpstreamCall])
    replies: list[RecordedReply] = field(default_factory=list[RecordedReply])

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        self.calls.append(call)
        self.replies.append(self.answer(call))
        return self.replies[-1]

    async def close(self) -> None:
        """Nothing is open."""


async def body_of(reply: UpstreamReply) -> bytes:
    """The whole body."""
    try:
        return b"".join([chunk async for chunk in reply.chunks()])
    finally:
        await reply.close()
