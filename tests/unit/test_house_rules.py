"""Rules of the house that no linter knows: the sizes of packages, one meaning for a class's name, words."""

import ast
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from local.paths import ROOT

PRODUCT = ("cli", "functions", "infra", "layers", "local")
MAX_MODULES = 14
"""Modules of one package, without its `__init__`."""

BANNED = re.compile(
    r"\b(desks?|lanes?|meddlers?|cashiers?|backstops?|tellers?|handovers?|hasten\w*|doubtful|shakes? hands|"
    r"shake_hands|settle_down|forget_clouds|wake_lane|keep_lane|no_such_\w+|"
    r"PepperRing|RequestFrame|DeskServer|DeskError|Dispatcher\.lanes|rehash)\b",
    re.IGNORECASE,
)
"""Words for which the field has a term: docs/glossary.md has it."""

MAY_SAY_ANYTHING = ("docs/decisions/", "CHANGELOG.md", "tests/unit/test_house_rules.py")
TEXTS = {".py", ".md", ".toml", ".sh", ".mjs", ".go", ".yml", ""}


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(listed.stdout.splitlines())


def modules() -> Iterator[Path]:
    """Modules of the product, relative to the repository."""
    for name in tracked():
        path = Path(name)
        if path.suffix == ".py" and path.parts[0] in PRODUCT and path.name != "__init__.py":
            yield path


def classes() -> Mapping[str, list[Path]]:
    """Where each public top-level class of the product is defined."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in modules():
        for node in ast.parse((ROOT / path).read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return found


def test_package_has_few_modules() -> None:
    sizes = Counter(path.parent for path in modules())
    assert {str(package): size for package, size in sizes.items() if size > MAX_MODULES} == {}


def test_class_name_has_one_meaning() -> None:
    assert {name: list(map(str, places)) for name, places in classes().items() if len(places) > 1} == {}


def test_texts_use_the_words_of_the_glossary() -> None:
    found = [
        f"{name}:{number}: {word.group()}"
        for name in tracked()
        if Path(name).suffix in TEXTS and not name.startswith(MAY_SAY_ANYTHING)
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if (word := BANNED.search(line))
    ]
    assert found == []
