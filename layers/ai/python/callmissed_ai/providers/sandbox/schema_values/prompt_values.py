"""Values of a text that can fill a schema: numbers, names of places and things, dates, addresses, key = value pairs.

One pass of one pattern finds them; each is used once, in order of appearance.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, TypeGuard, cast

Scalar = str | int | float | bool
_MAX_TEXT_LENGTH = 20_000
_CAPITALISED = r"[A-ZÀ-Þ](?:[^\W_]|['-])*(?!\w)"
_FIND = re.compile(
    rf"""
      (?P<date_time>\b\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{{1,9}})?(?:Z|[+-]\d\d:\d\d))
    | (?P<date>\b\d{{4}}-\d\d-\d\d\b)
    | (?P<uuid>\b[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}\b)
    | (?P<email>\b[\w.+-]{{1,64}}@[a-zA-Z0-9-]{{1,63}}(?:\.[a-zA-Z0-9-]{{1,63}}){{1,4}})
    | (?P<uri>\bhttps?://[\w./?=&%#~:+-]{{1,500}}\w)
    | ["“`](?P<quoted>[^"“”`\n]{{1,200}})["”`]
    | (?P<number>(?<![\w.])-?\d{{1,15}}(?:\.\d{{1,10}})?(?!\d))
    | \b(?:in|at|near|from|to|for|of|about|named|called)\s
      (?!(?:the|a|an|my|me|this|that|it)\b)
      (?P<after>{_CAPITALISED}(?:[ ]{_CAPITALISED}){{0,4}}|[^\W\d_]{{2,40}}(?![\w@.+-]{{0,64}}@))
    | (?<!^)(?<![.!?]\s)\b(?P<name>{_CAPITALISED}(?:[ ]{_CAPITALISED}){{0,4}})
    """,
    re.VERBOSE,
)
_PHRASES = frozenset({"quoted", "after", "name"})


class PromptValues:
    """The values in a text, each used at most once, except those in `skipped`.

    JSON objects in `results` offer their members by name.
    """

    def __init__(self, text: str, results: Iterable[str] = (), skipped: Collection[str] = ()) -> None:
        self.text = text[:_MAX_TEXT_LENGTH]
        self._folded = self.text.casefold().replace("_", " ")
        self._found: dict[str, list[str]] = {}
        for match in _FIND.finditer(self.text):
            kind = match.lastgroup or ""
            group = self._found.setdefault("phrase" if kind in _PHRASES else kind, [])
            if match[kind] not in group and match[kind] not in skipped and _is_sound(kind, match[kind]):
                group.append(match[kind])
        self._members: dict[str, Scalar] = {}
        for result in results:
            _collect(_parsed(result), self._members)

    def left(self, kind: str) -> int:
        """Number of unused values of `kind` (`number`, `phrase`, `date`, …)."""
        return len(self._found.get(kind, ()))

    def take(self, kind: str, fits: Callable[[str], bool]) -> str | None:
        """The next value of `kind` that `fits`, or None."""
        group = self._found.get(kind, [])
        value = next(filter(fits, group), None)
        if value is not None:
            group.remove(value)
        return value

    def named(self, name: str) -> Scalar | None:
        """The value that a result or the text gives to `name`, as in `name: value` or `name = "value"`."""
        if name in self._members:
            return self._members[name]
        parts = re.split(r"[_\s-]+", name[:64])
        if not all(part.casefold() in self._folded for part in parts):
            return None  # costs less than making a pattern
        words = r"[ _-]?".join(map(re.escape, parts))
        match = re.search(rf"""(?i:\b{words}\b)\s?[:=]\s?(?:"([^"\n]{{1,200}})"|([^\s,;"]{{1,200}}))""", self.text)
        return (match[1] or match[2].rstrip(".!?") or None) if match else None

    def mentions(self, phrase: str) -> bool:
        """Whether the text has the words of `phrase` in a row, in any case."""
        words = phrase.casefold().replace("_", " ").strip()[:200]
        if not words or words not in self._folded:
            return False
        return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", self._folded) is not None


def _is_sound(kind: str, value: str) -> bool:
    """False for dates that no calendar has."""
    if kind not in ("date", "date_time"):
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _collect(value: object, into: dict[str, Scalar]) -> None:
    if not isinstance(value, dict):
        return
    for name, member in cast("dict[str, Any]", value).items():
        if _is_scalar(member):
            into.setdefault(name, member)
        elif len(into) < 1_000:
            _collect(member, into)


def _is_scalar(value: object) -> TypeGuard[Scalar]:
    """False also for values that JSON can't express: numbers that aren't finite, lone surrogates."""
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    return isinstance(value, int | float) and math.isfinite(value)
