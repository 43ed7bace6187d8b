"""The letters of hot items are private to the module that owns the items; all else sees dataclasses."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CORE = Path("layers/core/python/callmissed")
SOURCES = ("layers", "functions", "cli", "local", "infra", "bench")
OWNERS = {
    CORE / "keys/records.py": "kid st perm mdl dom prov scp ex bud kb km iv dl tat u ln",
    CORE / "ledger/records.py": "st mon av h gr sp spt bud bl rt bon sh al lc q_llm q_stt q_tts q_image q_search",
    CORE / "idempotency/records.py": "fp op st o lk cid sc ct b far",
}
JOSE = {
    Path("functions/auth/sign_in/google_tokens.py"),
    Path("layers/core/python/callmissed/sessions/tokens.py"),
}
"""Modules that read or write tokens, whose header `kid` is RFC 7515's."""
HOT = sorted({letters for owned in OWNERS.values() for letters in owned.split()} - {"u", "h", "o", "b"})
"""Letters that mean nothing else anywhere; single ones are looked for as keys of an item only."""

ACCESS = re.compile(rf"""["']({"|".join(HOT)})["']|(\[|\.get\()["'](u|h|o|b)["']""")
EXPRESSION = re.compile(rf"""["'](SET|REMOVE|ADD|DELETE)? ?({"|".join(HOT)}) ?(=|>=|<=|<|>) """)


def sources() -> list[Path]:
    found = [path.relative_to(ROOT) for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    return [path for path in found if path not in OWNERS]


@pytest.mark.parametrize("pattern", [ACCESS, EXPRESSION], ids=["access", "expression"])
def test_storage_letters_occur_only_in_the_modules_that_own_them(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in sources()
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if pattern.search(line.replace('"kid"', "") if path in JOSE else line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (ACCESS, 'left = item["kb"]'),
        (ACCESS, 'wallet.get("h", {})'),
        (ACCESS, 'database.update_if(KEYS, key, set={"kb": left}, expected={"st": "active"})'),
        (ACCESS, 'database.update_if(KEYS, key, remove=("bud",))'),
        (EXPRESSION, '"UpdateExpression": "SET kb = kb + :change",'),
        (EXPRESSION, '"ConditionExpression": "st = :active AND ex > :now",'),
    ],
)
def test_a_letter_that_is_used_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_the_owners_use_their_letters() -> None:
    for path, letters in OWNERS.items():
        text = (ROOT / path).read_text()
        assert all(re.search(rf"\b{letter}\b", text) or letter.startswith("q_") for letter in letters.split())
