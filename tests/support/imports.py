"""Third-party modules that an entry may import, also inside functions, read from the source without running it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.bundling.assets import ROOT

_FOLDERS = (ROOT, *sorted(ROOT.glob("layers/*/python")))
_OURS = {"callmissed", "callmissed_ai", "functions"}


def third_party_imports(entry: str) -> dict[str, str]:
    """Top-level names of the distributions' modules, each with one of our modules that imports it."""
    reached, todo, third_party = {entry}, [entry], dict[str, str]()
    while todo:
        importer = todo.pop()
        for name in _imports(importer):
            top = name.partition(".")[0]
            if top in _OURS:
                fresh = [module for module in _with_parents(name) if module not in reached and _source(module)]
                reached.update(fresh)
                todo += fresh
            elif top not in sys.stdlib_module_names:
                third_party.setdefault(top, importer)
    return third_party


def _with_parents(name: str) -> list[str]:
    """A module's import runs the packages above it first."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _source(module: str) -> Path | None:
    places = [folder.joinpath(*module.split(".")) for folder in _FOLDERS]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    return next((file for file in files if file.is_file()), None)


def _imports(module: str) -> Iterator[str]:
    source = _source(module)
    assert source, module
    yield from _imported_names(ast.parse(source.read_text()))


def _imported_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield str(node.module)
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in _at_run_time(node):
        yield from _imported_names(child)


def _at_run_time(node: ast.AST) -> list[ast.AST]:
    """The children that run; a block under TYPE_CHECKING does not."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return list(node.orelse)
    return list(ast.iter_child_nodes(node))
