"""What each search provider gets and answers, in one file each in `native` beside this module.

`[[cases]]` have a `call` in our own format, the `path` and the `request` that it becomes, the provider's `reply`, and
the results that are `expected` of it. `[[refusals]]` have an answer that is no success, and the status that a caller
gets who asked for this provider.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "native"
SEARCHES = ("exa", "firecrawl", "google_search", "serper")


@dataclass(frozen=True, slots=True)
class NativeSearch:
    """One search at one provider."""

    provider: str
    name: str
    call: Any
    path: str
    request: Any
    reply: Any
    expected: Any


@dataclass(frozen=True, slots=True)
class NativeRefusal:
    """One answer of a provider that is no success."""

    provider: str
    name: str
    status: int
    body: str
    expected: int


def native_searches() -> Iterator[NativeSearch]:
    """All searches of all files."""
    for provider, document in _documents():
        for case in document["cases"]:
            values = [json.loads(case[field]) for field in ("request", "reply", "expected")]
            yield NativeSearch(provider, case["name"], json.loads(case["call"]), case["path"], *values)


def native_refusals() -> Iterator[NativeRefusal]:
    """All refusals of all files."""
    for provider, document in _documents():
        for case in document["refusals"]:
            yield NativeRefusal(provider, **case)


def _documents() -> Iterator[tuple[str, Any]]:
    for provider in SEARCHES:
        yield provider, tomllib.loads((FOLDER / f"{provider}.toml").read_text())
