"""What a synthesis wrote, as plain data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config import StageConfig

Resource = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """What synthesis wrote: the folder, and each stack's template."""

    folder: Path
    config: StageConfig
    templates: Mapping[str, dict[str, Any]]

    def resources(self, kind: str) -> Iterator[tuple[str, str, Resource]]:
        """Stack, logical id and resource of every `AWS::…` resource of that kind."""
        for stack, template in self.templates.items():
            for logical_id, resource in template["Resources"].items():
                if resource["Type"] == kind:
                    yield stack, logical_id, resource

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Properties of every resource of that kind."""
        return [resource.get("Properties", {}) for _, _, resource in self.resources(kind)]
