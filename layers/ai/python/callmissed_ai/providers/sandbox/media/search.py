"""The sandbox's search: the pages of pages.json, ranked by BM25 (Robertson and Zaragoza 2009, section 3.4).

The pages are facts of this product, each with an address below a reserved domain.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import log
from typing import Any

from callmissed_ai.dialects.written_json import written_json

_WORD = re.compile(r"\w+")
_SATURATION, _LENGTH_SHARE = 1.2, 0.75
_TITLE_WEIGHT = 3
"""A word of the title counts so many times."""


@dataclass(frozen=True, slots=True)
class SandboxPage:
    """One page: its host, its name in the address, its title, its date and its text."""

    host: str
    name: str
    title: str
    date: str
    text: str

    @property
    def url(self) -> str:
        """Address, which nobody can open."""
        return f"https://{self.host}/{self.name}"


@cache
def pages() -> tuple[SandboxPage, ...]:
    """All pages, read when the first search needs them."""
    text = files("callmissed_ai.providers.sandbox.media").joinpath("pages.json").read_text(encoding="utf-8")
    return tuple(SandboxPage(**row) for row in json.loads(text))


def search_body(body: Mapping[str, Any]) -> bytes:
    """The pages for a search's `body`, the best first; those that have none of its words are left out."""
    wanted = dict.fromkeys(_words(str(body["query"])))
    scores = [(_score(page, wanted), page) for page in pages() if _fits(page, body)]
    ranked = sorted((each for each in scores if each[0]), key=lambda each: -each[0])[: int(body.get("num_results", 10))]
    results = [_result(score, page, body) for score, page in ranked]
    return written_json({"results": results, "answer": None, "images": None})


def _score(page: SandboxPage, wanted: Mapping[str, None]) -> float:
    counts, having, average = _index()
    own = counts[page.url]
    norm = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * own.total() / average)
    score = sum(
        log(1 + (len(pages()) - having[word] + 0.5) / (having[word] + 0.5))
        * (own[word] * (_SATURATION + 1) / (own[word] + norm))
        for word in wanted
        if own[word]
    )
    return round(score, 4)


@cache
def _index() -> tuple[Mapping[str, Counter[str]], Counter[str], float]:
    """Words of each page, pages of each word, and how many words a page has on average."""
    counts = {page.url: Counter(_words(f"{page.title} " * _TITLE_WEIGHT + page.text)) for page in pages()}
    having = Counter(word for own in counts.values() for word in own)
    return counts, having, sum(own.total() for own in counts.values()) / len(counts)


def _words(text: str) -> list[str]:
    """Words without the end of their plural."""
    found = _WORD.findall(text.casefold())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def _fits(page: SandboxPage, body: Mapping[str, Any]) -> bool:
    included, excluded = body.get("include_domains"), body.get("exclude_domains") or ()
    first, last = body.get("start_published_date") or "", body.get("end_published_date") or "9999"
    return (
        (not included or any(_is_below(page.host, domain) for domain in included))
        and not any(_is_below(page.host, domain) for domain in excluded)
        and first <= page.date <= last
    )


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _result(score: float, page: SandboxPage, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "title": page.title,
        "url": page.url,
        "snippet": page.text.partition(". ")[0].rstrip(".") + ".",
        "content": page.text if body.get("include_content") else None,
        "published_date": page.date,
        "score": score,
    }
