"""What a synthesis wrote, as plain data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config import StageConfig

Resource = dict[str, Any]
_NAMES = ("Name", "QueueName", "TableName")


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

    def text(self, stack: str, value: Any) -> str:
        """`value` of a template as text, with the physical names of the resources that it refers to.

        An attribute other than the ARN is written behind a dot.
        """
        if isinstance(value, str):
            return value
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return separator.join(self.text(stack, part) for part in parts)
        if "Fn::ImportValue" in value:
            return self.text(*self._exported(value["Fn::ImportValue"]))
        logical_id, attribute = value.get("Fn::GetAtt") or (value["Ref"], "Arn")
        if logical_id.startswith("AWS::"):
            return f"<{logical_id}>"
        name = self._physical_name(self.templates[stack]["Resources"][logical_id]) or logical_id
        return name if attribute == "Arn" else f"{name}.{attribute}"

    def _exported(self, export: str) -> tuple[str, Any]:
        [found] = [
            (stack, output["Value"])
            for stack, template in self.templates.items()
            for output in template.get("Outputs", {}).values()
            if output.get("Export", {}).get("Name") == export
        ]
        return found

    def _physical_name(self, resource: Resource) -> str:
        names = {key: value for key, value in resource.get("Properties", {}).items() if key in _NAMES}
        return next((value for value in names.values() if isinstance(value, str)), "")
