"""Rules of the house that no linter knows: the sizes of packages, one meaning for a class's name, words."""

import ast
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from local.paths import ROOT

PRODUCT = ("cli", "functions", "infra", "layers", "local", "rehearsal")
MAX_MODULES = 14
"""Modules of one package, without its `__init__`."""

BANNED = re.compile(
    r"(?<![a-z])(desks?|lanes?|meddle\w*|cashiers?|backstops?|tellers?|handovers?|hasten\w*|doubtful|shakes?[ _]hands|"
    r"tells?|told|telling|judge\w*|judging|luck|timers?|notices?|intake|vaults?|shelf|shelves|twins?|worlds?|"
    r"settle_down|forget_clouds|wake_lane|keep_lane|no_such_\w+|"
    r"PepperRing|RequestFrame|DeskServer|DeskError|rehash)(?![a-z])",
    re.IGNORECASE,
)
"""Words for which the field has a term (docs/glossary.md has it), also as parts of names in snake case."""

BANNED_NAMES = re.compile(
    r"(?<![A-Za-z])(MOST|LEAST|LONGEST|DEEPEST)_[A-Z]|\bclass (Bank|Stage|Lab|Books|Hands|Scene)\b"
)
"""MAX_ and MIN_ name bounds; a test's support is named for what it holds."""

MAY_SAY_ANYTHING = (
    "docs/decisions/",
    "CHANGELOG.md",
    "LICENSE",
    "tests/unit/test_house_rules.py",
    "layers/ai/python/callmissed_ai/providers/sandbox/tools.py",  # a list of common English words
)
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
        if (word := BANNED.search(line) or BANNED_NAMES.search(line))
    ]
    assert found == []


def test_no_function_reads_the_url_that_a_caller_writes() -> None:
    """Starlette makes it of `Host` and `X-Forwarded-Proto`; the path is in the scope, our URL in the settings."""
    found = [
        f"{path}:{number}"
        for path in modules()
        if path.parts[0] in ("functions", "layers")
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if re.search(r"\brequest\.(url|base_url|url_for)\b", line.partition("`request.url`")[0])
    ]
    assert found == []


def test_conftest_holds_fixtures_only() -> None:
    trees = {
        name: [*ast.walk(ast.parse((ROOT / name).read_text()))]
        for name in tracked()
        if name.startswith("tests/") and name.endswith(".py")
    }
    classes_there = [
        f"{name}:{node.lineno}: class {node.name}"
        for name, nodes in trees.items()
        if Path(name).name == "conftest.py"
        for node in nodes
        if isinstance(node, ast.ClassDef)
    ]
    assert classes_there == [], "classes belong to tests/support"
    importers = {name for name, nodes in trees.items() if any(map(_imports_conftest, nodes))}
    assert importers == set(), "fixtures that several conftest files share belong to tests/support"


def _imports_conftest(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        imported = [node.module or "", *(alias.name for alias in node.names)]
    else:
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return any("conftest" in module.split(".") for module in imported)
