"""Numbers and texts that a JSON schema may accept, the likeliest first."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import Any

from callmissed_ai.providers.sandbox.schema_values.checks import SchemaError
from callmissed_ai.providers.sandbox.schema_values.patterns import UnmatchableError, is_tame, matches, matching_texts
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues

_TRIES = 40
_MAX_TEXT_LENGTH = 10_000
_WHOLE_TEXT = frozenset({"query", "q", "text", "message", "prompt", "question", "input", "content", "body"})
_FORMATS = {
    "date": "2025-01-{day}",
    "date-time": "2025-01-{day}T09:00:00Z",
    "time": "{hour}:00:00Z",
    "duration": "PT{day}H",
    "email": "sandbox{number}@example.com",
    "idn-email": "sandbox{number}@example.com",
    "hostname": "sandbox{number}.example.com",
    "idn-hostname": "sandbox{number}.example.com",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "uri": "https://example.com/sandbox{number}",
    "uri-reference": "/sandbox{number}",
    "iri": "https://example.com/sandbox{number}",
    "iri-reference": "/sandbox{number}",
    "uri-template": "https://example.com/sandbox{number}/{{id}}",
    "uuid": "00000000-0000-4000-8000-0000000000{day}",
    "json-pointer": "/sandbox{number}",
    "relative-json-pointer": "{day}",
    "regex": "^sandbox{number}$",
}
_PROMPT_KINDS = {"date": "date", "date-time": "date_time", "email": "email", "uri": "uri", "uuid": "uuid"}


def numbers(rules: Mapping[str, Any], values: PromptValues, nth: int) -> Iterator[int | float]:
    """Numbers of the prompt within the bounds, then made-up ones from the lower bound on; `nth` makes them differ."""
    low, high = _bound(rules, "minimum", "exclusiveMinimum", max), _bound(rules, "maximum", "exclusiveMaximum", min)
    found = values.take("number", lambda text: _within(low, float(text), high))
    if found is not None:
        yield _plain(Fraction(found))
    step = abs(Fraction(str(rules.get("multipleOf", 1)))) or Fraction(1)
    start = _start(low, high)
    first = math.ceil(start / step)
    yield from (_plain((first + offset) * step) for offset in range(nth, nth + _TRIES))
    yield from (_plain((first - offset) * step) for offset in range(nth, nth + _TRIES))
    if low is not None and high is not None:
        yield from (_plain(low + (high - low) * share / 97) for share in range(nth, 98))
    yield from (_plain(start + Fraction(2 * offset + 1, 2)) for offset in range(nth, nth + _TRIES))
    yield _plain(start)


def texts(rules: Mapping[str, Any], name: str, values: PromptValues, nth: int) -> Iterator[str]:
    """Texts without a pattern for the property `name`: by format, from the prompt, from examples, made up.

    None is made up that has to be longer than 10,000 characters.
    """
    lengths = _lengths(rules)
    if "format" in rules:
        yield from _by_format(rules["format"], lengths, values, nth)
    whole = values.text.strip()
    if name.casefold() in _WHOLE_TEXT and whole and not nth:
        yield whole[: lengths.stop - 1]
    phrase = values.take("phrase", lambda text: len(text) in lengths)
    if phrase is not None:
        yield phrase
    yield from rules.get("examples", ())[nth:]
    if lengths:
        yield _made_up(name, lengths, nth)


def patterned_texts(rules: Mapping[str, Any], values: PromptValues, nth: int) -> Iterator[str]:
    """Texts that match the pattern in `rules`: from the prompt if the pattern is cheap, else made for it."""
    pattern, lengths = rules["pattern"], _lengths(rules)
    if is_tame(pattern):
        found = values.take("phrase", lambda text: len(text) in lengths and matches(pattern, text))
        yield from () if found is None else (found,)
    try:
        yield from islice(matching_texts(pattern, lengths), nth, nth + 1)
        yield from islice(matching_texts(pattern, lengths), 1)
    except UnmatchableError as error:
        raise SchemaError(str(error)) from None


def usual_kind(rules: Mapping[str, Any]) -> str:
    """The kind of value in a prompt that suits `rules` best."""
    if rules.get("type") in ("integer", "number"):
        return "number"
    kind = str(rules.get("format", "phrase"))
    return _PROMPT_KINDS.get(kind, kind)


def _lengths(rules: Mapping[str, Any]) -> range:
    return range(rules.get("minLength", 0), min(rules.get("maxLength", _MAX_TEXT_LENGTH), _MAX_TEXT_LENGTH) + 1)


def _by_format(name: str, lengths: range, values: PromptValues, nth: int) -> Iterator[str]:
    found = values.take(_PROMPT_KINDS.get(name, name), lambda text: len(text) in lengths)
    if found is not None:
        yield found
    if name in _FORMATS:
        yield _FORMATS[name].format(number=nth or "", day=10 + nth % 18, hour=10 + nth % 12)


def _made_up(name: str, lengths: range, nth: int) -> str:
    text = f"sandbox {name or 'value'}" + (f" {nth + 1}" if nth else "")
    padded = text + "." * (lengths.start - len(text))
    return padded if len(padded) < lengths.stop else f"{nth or ''}{padded}"[: lengths.stop - 1]


def _bound(rules: Mapping[str, Any], open_name: str, closed_name: str, narrower: Any) -> Fraction | None:
    given = [rules[name] for name in (open_name, closed_name) if _is_finite(rules.get(name))]
    return Fraction(str(narrower(given))) if given else None


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _within(low: Fraction | None, value: float, high: Fraction | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _start(low: Fraction | None, high: Fraction | None) -> Fraction:
    """One, or the number nearest to it within the bounds."""
    start = Fraction(1) if low is None else max(low, Fraction(1))
    return start if high is None else min(start, high)


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)
