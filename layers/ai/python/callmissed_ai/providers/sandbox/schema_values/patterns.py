"""Texts that match a regular expression, built from the parsed expression; and matching where that is cheap.

Expressions come from callers, and running one can take exponential time. Building a text is bounded in steps, and
only cheap expressions are run, which can match in few ways.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_MAX_STEPS = 5_000
_MAX_MATCHED_LENGTH = 100
_MAX_WAYS = _MAX_MATCHED_LENGTH**3
_SINGLE = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "GROUPREF"})
_MAX_REPEATS = 2_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.@/#"
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda char: not char.isdigit(),
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_NOT_WORD": lambda char: not (char.isalnum() or char == "_"),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda char: not char.isspace(),
}


class UnmatchableError(Exception):
    """No text for an expression: it can't be parsed, uses look-around, or only long texts match."""


def matching_texts(pattern: str, lengths: range) -> Iterator[str]:
    """Texts that match `pattern` and have a length in `lengths`, few repeats first. Raises UnmatchableError."""
    try:
        tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        raise UnmatchableError(f"the pattern '{pattern[:80]}' can't be read") from None
    writer = _Writer()
    for extra in range(min(_MAX_REPEATS, lengths.stop)):
        text = writer.sequence(tree, extra)
        if len(text) in lengths:
            yield text


def is_tame(pattern: str) -> bool:
    """Whether running `pattern` on a short text is cheap for certain."""
    try:
        return _ways(_parser.parse(pattern)) <= _MAX_WAYS
    except (re.error, RecursionError, OverflowError):
        return False


def matches(pattern: str, text: str) -> bool:
    """Whether a cheap `pattern` is found in `text`; False for a text that is too long to check."""
    return len(text) <= _MAX_MATCHED_LENGTH and re.search(pattern, text) is not None


def _ways(tree: Any) -> int:
    """Maximum number of ways to try a parsed expression at one position of a text."""
    return math.prod(_ways_of(str(operation), value) for operation, value in tree)


def _ways_of(operation: str, value: Any) -> int:
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most = value[0], min(int(value[1]), _MAX_MATCHED_LENGTH)
        inner = min(_ways(value[2]), _MAX_WAYS)
        return max(1, most - least + 1) * inner**most
    if operation == "SUBPATTERN":
        return _ways(value[-1])
    if operation == "BRANCH":
        return sum(map(_ways, value[1]))
    return 1 if operation in _SINGLE else _MAX_WAYS + 1


class _Writer:
    """Writes texts for parsed expressions. `extra` is how often a repeat goes beyond its minimum."""

    def __init__(self) -> None:
        self._steps = 0
        self._groups: dict[int, str] = {}

    def sequence(self, tree: Any, extra: int) -> str:
        return "".join(self._write(str(operation), value, extra) for operation, value in tree)

    def _write(self, operation: str, value: Any, extra: int) -> str:
        self._step()
        if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, tree = value
            return self._repeat(min(int(most), least + extra), tree, extra)
        if operation == "SUBPATTERN":
            return self._group(value[0], value[-1], extra)
        match operation:
            case "LITERAL":
                return chr(value)
            case "AT":
                return ""
            case "BRANCH":
                return self.sequence(value[1][0], extra)
            case "ATOMIC_GROUP":
                return self.sequence(value, extra)
            case "GROUPREF":
                return self._groups.get(value, "")
            case _:
                return self._one_of(operation, value)

    def _repeat(self, times: int, tree: Any, extra: int) -> str:
        return "".join(self.sequence(tree, extra) for _ in range(times) if self._step())

    def _group(self, number: int | None, tree: Any, extra: int) -> str:
        text = self.sequence(tree, extra)
        if number is not None:
            self._groups[number] = text
        return text

    def _one_of(self, operation: str, value: Any) -> str:
        items: list[tuple[Any, Any]] = value if operation == "IN" else [(operation, value)]
        negated = str(items[0][0]) == "NEGATE"
        holding = [char for char in _ALPHABET if any(_holds(kind, held, char) for kind, held in items) is not negated]
        if not holding and not negated:
            holding = [chr(found[0] if isinstance(found, tuple) else found) for _, found in items]  # pyright: ignore[reportUnknownArgumentType]
        if not holding:
            raise UnmatchableError("a character class of the pattern has no letter, digit or common sign")
        return holding[self._steps * 7 % len(holding)]

    def _step(self) -> bool:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise UnmatchableError("the pattern's shortest text is too long")
        return True


def _holds(operation: Any, value: Any, char: str) -> bool:
    match str(operation):
        case "LITERAL":
            return ord(char) == value
        case "NOT_LITERAL":
            return ord(char) != value
        case "RANGE":
            return value[0] <= ord(char) <= value[1]
        case "CATEGORY":
            return _CATEGORIES[str(value)](char)
        case "ANY":
            return True
        case "NEGATE":
            return False
        case _:
            raise UnmatchableError("the pattern uses look-around or another unsupported construct")
