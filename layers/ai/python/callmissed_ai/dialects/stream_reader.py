"""Reading an upstream's stream as neutral events."""

from collections.abc import Iterator
from typing import Any, Protocol, cast

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Event
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.tokens.usage import TokenUsage

MAX_EVENT_BYTES = 8 * 1024 * 1024


class UnreadableStream(Exception):
    """The stream broke, or can't be read; says why, in words for the operator's log."""


class StreamReader(Protocol):
    """Reads the bytes of one stream. The events are the same however the bytes are cut."""

    @property
    def finished(self) -> bool:
        """Whether the reply is complete."""
        ...

    def feed(self, body: bytes) -> Iterator[Event]:
        """The events that `body` completes. Raises UnreadableStream."""
        ...

    def end(self) -> Iterator[Event]:
        """The events that the end of the body completes. Raises UnreadableStream where the reply is not complete."""
        ...


class StreamWriter(Protocol):
    """Writes the bytes of one stream."""

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        ...

    def write(self, event: Event) -> bytes:
        """The bytes of an event, b"" for what the dialect doesn't say or says later."""
        ...

    def count(self, used: TokenUsage) -> None:
        """Take the tokens that we counted, because the upstream reports none: `closing` shows them."""
        ...

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        ...


def json_object(data: bytes) -> dict[str, Any]:
    """The object in an event's data. Raises UnreadableStream."""
    try:
        value: Any = read_strictly(data)
    except ValueError:
        raise UnreadableStream("an event that is not JSON") from None
    if not isinstance(value, dict):
        raise UnreadableStream("an event that is no object")
    return cast("dict[str, Any]", value)
