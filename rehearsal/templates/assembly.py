"""The cloud assembly in a folder: stacks in the order of their deployment, and the folders of assets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

Template = dict[str, Any]

_STACK = "aws:cloudformation:stack"


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """One stack: `id` in the assembly, `name` in the account."""

    id: str
    name: str
    template: Template
    terminates: bool
    """Whether it may be deleted: it has no termination protection."""

    @property
    def resources(self) -> Mapping[str, Template]:
        """The template's resources by logical id."""
        return self.template["Resources"]


@dataclass(frozen=True, slots=True)
class Asset:
    """The folder of an asset, and the construct that it was made for."""

    folder: Path
    construct: str


@dataclass(frozen=True, slots=True)
class CloudAssembly:
    """`stacks` in the order of their deployment, `assets` by the hash in their S3 key."""

    stacks: Sequence[StackTemplate]
    assets: Mapping[str, Asset]


def read_assembly(folder: Path) -> CloudAssembly:
    """The assembly that a synthesis wrote into `folder`."""
    artifacts: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())["artifacts"]
    needs = {name: artifact.get("dependencies", []) for name, artifact in artifacts.items()}
    ordered = TopologicalSorter(needs).static_order()
    stacks = [_stack(folder, name, artifacts[name]["properties"]) for name in ordered if _is_stack(artifacts[name])]
    return CloudAssembly(stacks, dict(_assets(folder)))


def _is_stack(artifact: Mapping[str, Any]) -> bool:
    return artifact["type"] == _STACK


def _stack(folder: Path, id: str, properties: Mapping[str, Any]) -> StackTemplate:
    template = json.loads((folder / properties["templateFile"]).read_text())
    return StackTemplate(id, properties["stackName"], template, not properties.get("terminationProtection"))


def _assets(folder: Path) -> Iterator[tuple[str, Asset]]:
    for manifest in folder.glob("*.assets.json"):
        for key, file in json.loads(manifest.read_text())["files"].items():
            yield key, Asset(folder / file["source"]["path"], file.get("displayName", ""))
