"""The distributions of a third-party layer: those that `layers/deps/<name>.toml` lists, and what uv.lock adds."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from infra.bundling.uv import ROOT, uv

DEPS = ROOT / "layers" / "deps"
TRIMMING = DEPS / "trimming.toml"
_PROJECT = "callmissed"

Graph = Mapping[str, set[str]]


class LayerRecipeError(ValueError):
    """A recipe that lists what is no runtime dependency in pyproject.toml."""


def layer_requirements(name: str) -> str:
    """Requirements with versions and hashes of layer `name`, for `uv pip install`.

    Raises LayerRecipeError, FileNotFoundError for an unknown layer, and CalledProcessError when uv can't read the lock.
    """
    graph = _locked()
    direct, listed = graph[_PROJECT], listed_distributions(name)
    if unknown := listed - direct:
        raise LayerRecipeError(f"layers/deps/{name}.toml: not a dependency in pyproject.toml: {', '.join(unknown)}")
    unused = [name for name in trimming("exclude") if name not in listed]
    leave_out = sorted(direct - _needed(graph, listed)) + unused
    command = ["export", "--frozen", "--no-default-groups", "--no-emit-project", "--no-annotate", "--no-header"]
    return uv([*command, *(flag for each in leave_out for flag in ("--prune", each))])


def listed_distributions(name: str) -> set[str]:
    """Distributions that layer `name` lists, and those of the layer that it extends."""
    recipe = tomllib.loads((DEPS / f"{name}.toml").read_text())
    inherited = listed_distributions(recipe["extends"]) if "extends" in recipe else set[str]()
    return {*recipe["requirements"], *inherited}


def trimming(key: str) -> list[str]:
    """Distributions that all layers leave out."""
    return tomllib.loads(TRIMMING.read_text())[key]


@cache
def _locked() -> Graph:
    """What each distribution of uv.lock needs on any platform. An extra is a node of its own: `name[extra]`."""
    graph: dict[str, set[str]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        graph.setdefault(package["name"], set()).update(_nodes(package.get("dependencies", [])))
        for extra, needs in package.get("optional-dependencies", {}).items():
            graph.setdefault(f"{package['name']}[{extra}]", set()).update(_nodes(needs))
    return graph


def _nodes(needs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for need in needs:
        yield need["name"]
        yield from (f"{need['name']}[{extra}]" for extra in need.get("extra", []))


def _needed(graph: Graph, names: set[str]) -> set[str]:
    """`names` and everything that they need."""
    found, todo = set[str](), set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= graph.get(name, set[str]()) - found
    return found
