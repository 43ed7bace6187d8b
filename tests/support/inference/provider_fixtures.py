"""What each provider answers, in files of recorded shape beside this module; docs/providers.md describes the format."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.support.inference.behaviours import reply, says, streams
from tests.support.inference.converse import frame
from tests.support.inference.upstream import Behaviour

FOLDER = Path(__file__).parent / "providers"
PRICES = {"input": 50, "cached": 10, "written": 60, "output": 150}
"""Micro-credits per token of the models with which the cases are played."""

_SHORTEST_SECRET = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the caller gets, and what the call costs.

    A reply has `text`, `thinking` and the names of called `tools`; `broken` says that it ends with an error. Of the
    tokens, `input` are those at the full price. A refusal has `status` and `code`, and costs nothing.
    """

    status: int = 200
    code: str = ""
    text: str = ""
    thinking: str = ""
    tools: list[str] = field(default_factory=list[str])
    broken: bool = False
    estimated: bool = False
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0

    @property
    def cost(self) -> int:
        """Micro-credits."""
        return sum(price * getattr(self, name) for name, price in PRICES.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCase:
    """One answer of a provider: a `body`, or a `stream` or `frames` that `breaks` where the connection does."""

    provider: str
    name: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    stream: str = ""
    frames: str = ""
    breaks: bool = False
    expected: Expected

    @property
    def is_refusal(self) -> bool:
        """Whether the provider answers with an error's status, whatever was asked."""
        return self.status != 200

    @property
    def streamed(self) -> bytes:
        """The bytes of a stream: events as they are, or a frame a line, with a `!` before the name of an exception."""
        return self.stream.encode() or b"".join(map(_frame, self.frames.strip().splitlines()))

    @property
    def behaviour(self) -> Behaviour:
        """The answer at the wire."""
        if not self.streamed:
            return reply(self.body, self.status, self.headers)
        if self.breaks:
            return streams([self.streamed], breaks=True)
        return says(self.streamed, "text/event-stream")

    @property
    def secrets(self) -> list[str]:
        """The provider's words about what went wrong, none of which a caller may see."""
        found = self.body if self.is_refusal else ""
        texts = [found, *(line.removeprefix("data:") for line in self.stream.splitlines() if '"error"' in line)]
        texts += [line.partition(" ")[2] for line in self.frames.splitlines() if line.startswith("!")]
        return [text for each in texts for text in _sentences(_json(each))]


def provider_cases() -> list[ProviderCase]:
    """All cases of all files."""
    return [case for path in sorted(FOLDER.glob("*.toml")) for case in _cases(path)]


def _cases(path: Path) -> Iterator[ProviderCase]:
    for row in tomllib.loads(path.read_text())["cases"]:
        expected = Expected(**row.pop("expected"))
        yield ProviderCase(provider=path.stem, expected=expected, **row)


def _frame(line: str) -> bytes:
    name, _, payload = line.partition(" ")
    kind = "exception" if name.startswith("!") else "event"
    return frame(name.removeprefix("!"), kind=kind, payload=payload.encode())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sentences(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_SECRET and " " in value:
            yield value
    elif isinstance(value, dict | list):
        inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for each in inner:
            yield from _sentences(each)
