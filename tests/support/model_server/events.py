"""Answers of the model server, whatever the wire format."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, or the events of a stream."""

    body: Mapping[str, Any] | None = None
    events: Sequence[bytes] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def data_event(data: object) -> bytes:
    """A server-sent event without a name."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def named_event(name: str, /, **fields: Any) -> bytes:
    """A server-sent event whose data repeats its name as `type`."""
    return f"event: {name}\n".encode() + data_event({"type": name, **fields})
