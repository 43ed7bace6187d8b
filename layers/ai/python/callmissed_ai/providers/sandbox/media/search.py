"""The sandbox's search: over a few pages that are written here."""

import re
from collections.abc import Mapping
from typing import Any

from callmissed_ai.dialects.written_json import written_json

_PAGES = (
    ("Sandbox", "sandbox", "Answers without a network or an account: the same question gets the same answer."),
    (
        "Voice agents",
        "voice-agents",
        "A voice agent listens, thinks and speaks until either side hangs up.",
    ),
    ("Webhooks", "webhooks", "A webhook is delivered at least once, so a receiver remembers ids."),
    ("Credits", "credits", "A call holds credits for its dearest outcome, and pays for what it has used."),
    ("WhatsApp", "whatsapp", "A business answers within 24 hours of a customer's last message, or sends a template."),
)
_WORD = re.compile(r"\w+")


def search_body(body: Mapping[str, Any]) -> bytes:
    """The pages for a search's `body`: those with the most of the query's words first, and at least one."""
    wanted = set(_WORD.findall(str(body["query"]).lower()))
    ranked = sorted(((_score(page, wanted), page) for page in _PAGES), key=lambda found: -found[0])
    found = [each for each in ranked if each[0]] or ranked[:1]
    results = [_result(score, page, body) for score, page in found[: int(body.get("num_results", 10))]]
    return written_json({"results": results, "answer": None, "images": None})


def _score(page: tuple[str, str, str], wanted: set[str]) -> float:
    words = set(_WORD.findall(f"{page[0]} {page[2]}".lower()))
    return round(len(words & wanted) / len(wanted), 4) if wanted else 0.0


def _result(score: float, page: tuple[str, str, str], body: Mapping[str, Any]) -> Mapping[str, Any]:
    title, name, text = page
    return {
        "title": title,
        "url": f"https://sandbox.example/{name}",
        "snippet": text,
        "content": text if body.get("include_content") else None,
        "published_date": None,
        "score": score,
        "source": "sandbox.example",
    }
