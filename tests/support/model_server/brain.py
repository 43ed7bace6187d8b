"""What the model server says, whatever the wire format: fixed rules over a prompt."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callmissed_ai.providers.sandbox.schema_values import fitting_json

_SINGLE_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_FAILURE = re.compile(r"fail with (\d{3})")


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """The request is refused with this HTTP status, as the vendor's API would."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request asks, as far as the rules look at it. `results` are those that the model has not answered yet.

    `names_stop` says that a reply of Converse is to name the stop sequence that it met.
    """

    said: str
    system: str = ""
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    choice: str = "auto"
    results: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    thinks: bool = False
    limit: int = 10_000
    stops: tuple[str, ...] = ()
    images: int = 0
    one_call: bool = False
    prompt_words: int = 10
    marked_words: int = 0
    names_stop: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """The model's reply: a thought, then a text or calls (id, name, JSON arguments), and how it ended.

    `ended` is `end`, `limit`, `stop` (with the sequence in `stopped_by`) or `calls`. `breaks` says that a stream fails
    in its midst.
    """

    thought: str
    text: str
    calls: tuple[tuple[str, str, str], ...]
    ended: str
    stopped_by: str | None
    words: int
    breaks: bool


def think(prompt: Prompt) -> Said:
    """The reply to `prompt`. Raises Refused where the prompt asks for a failure."""
    if failure := _FAILURE.search(prompt.said):
        raise Refused(int(failure[1]), "The prompt asked for it.")
    thought = f"The user says: {prompt.said[:60]}" if prompt.thinks else ""
    calls = _calls(prompt)
    if calls:
        return Said(thought, "", calls, "calls", None, 20, breaks=False)
    text, ended, stopped_by = _cut(_text(prompt), prompt)
    return Said(thought, text, (), ended, stopped_by, _words(thought) + _words(text), breaks="break off" in prompt.said)


def signature_of(thought: str) -> str:
    """The signature with which a thought has to come back."""
    return "sig" + hashlib.sha256(thought.encode()).hexdigest()


def halves(text: str) -> list[str]:
    """`text` in two pieces, or one where it is short."""
    middle = len(text) // 2
    return [text[:middle], text[middle:]] if middle else [text]


def _words(text: str) -> int:
    return len(text.split())


def _calls(prompt: Prompt) -> tuple[tuple[str, str, str], ...]:
    if not prompt.tools or prompt.choice == "none" or (prompt.choice == "auto" and prompt.results):
        return ()
    if prompt.choice in prompt.tools:
        names = [prompt.choice]
    else:
        names = [name for name in prompt.tools if _is_meant(name, prompt.said.lower())]
        if not names and prompt.choice == "required":
            names = [next(iter(prompt.tools))]
    return tuple(
        (f"call_{number}{hashlib.sha256(name.encode()).hexdigest()[:12]}", name, _filled(prompt.tools[name], prompt))
        for number, name in enumerate(names[:1] if prompt.one_call else names)
    )


def _filled(schema: Mapping[str, Any], prompt: Prompt) -> str:
    said = _SINGLE_QUOTED.sub(r'"\1"', prompt.said)
    return fitting_json(dict(schema), said, prompt.results)


def _named_members(said: str) -> Mapping[str, Any]:
    """The schema of an object without one: the members that the prompt quotes."""
    names = _SINGLE_QUOTED.findall(said)
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}


def _is_meant(name: str, said: str) -> bool:
    """Whether a text has a tool's name or a long word of it."""
    return name.lower() in said or any(len(word) > 6 and word in said for word in name.lower().split("_"))


def _text(prompt: Prompt) -> str:
    if prompt.schema is not None:
        return _filled(prompt.schema or _named_members(prompt.said), prompt)
    if prompt.results:
        return f"The tools say: {'; '.join(prompt.results)}"
    if prompt.images:
        return f"I see images: {prompt.images}"
    instructed = f" My instructions are: {prompt.system}" if prompt.system else ""
    return f"You said: {prompt.said}{instructed}"


def _cut(text: str, prompt: Prompt) -> tuple[str, str, str | None]:
    found = [(text.find(stop), stop) for stop in prompt.stops if stop in text]
    if found:
        at, stop = min(found)
        return text[:at], "stop", stop
    words = text.split(" ")
    if len(words) > prompt.limit:
        return " ".join(words[: prompt.limit]), "limit", None
    return text, "end", None


def as_text(value: object) -> str:
    """A tool's result or another value as text."""
    return value if isinstance(value, str) else json.dumps(value)
