"""What providers of images answer, in files of recorded shape in the folder of this name.

A case has the service's `asked` fields, the `paths` and, of JSON, the `bodies` that the provider is sent, or the `form`
of one, and the `replies` to them, each with a `status`, and a `body` or the `image` whose bytes are the body. `{png}`
and `{jpeg}` in a body stand for images in base64. `images` come then, or the refusal `code`.
"""

import base64
import json
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable
from tests.support.inference.image_objects import JPEG, png

FOLDER = Path(__file__).parent / "image_providers"
IMAGES: Mapping[str, bytes] = {"png": png(), "jpeg": JPEG}


@dataclass(frozen=True, slots=True)
class ImageCase:
    """One call for images, and what comes of it."""

    provider: str
    name: str
    asked: Mapping[str, Any]
    replies: Sequence[Mapping[str, Any]]
    paths: Sequence[str]
    bodies: Sequence[Mapping[str, Any]] = ()
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    images: Sequence[str] = ()
    code: str = ""


def image_cases() -> Iterator[ImageCase]:
    """All cases of all files."""
    for path in sorted(FOLDER.glob("*.toml")):
        for row in tomllib.loads(path.read_text())["cases"]:
            bodies = [json.loads(each) for each in row.pop("bodies", ())]
            yield ImageCase(provider=path.stem, bodies=bodies, **row)


def body_of(reply: Mapping[str, Any]) -> bytes:
    """The bytes of a reply."""
    if "image" in reply:
        return IMAGES[reply["image"]]
    text: str = reply["body"]
    for name, data in IMAGES.items():
        text = text.replace(f"{{{name}}}", base64.b64encode(data).decode())
    return text.encode()


@dataclass(slots=True)
class ScriptedReply:
    """A reply of the provider; `cut` breaks it half-way."""

    status: int
    body: bytes
    cut: bool
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        half = len(self.body) // 2
        yield self.body[:half]
        if self.cut:
            raise UpstreamUnreachable("the body broke off")
        yield self.body[half:]

    async def close(self) -> None:
        self.closed = True


class ScriptedHttp:
    """The provider as a `Transport`: answers by the order of the requests."""

    def __init__(self, replies: Sequence[Mapping[str, Any]]) -> None:
        self.calls: list[UpstreamCall] = []
        self.sent: list[ScriptedReply] = []
        self._replies = replies

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> ScriptedReply:
        reply = self._replies[len(self.calls)]
        self.calls.append(call)
        self.sent.append(ScriptedReply(reply.get("status", 200), body_of(reply), reply.get("cut", False)))
        return self.sent[-1]

    async def close(self) -> None:
        pass
