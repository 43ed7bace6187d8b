"""Assemblies with deliberate damage: what was right in the templates is taken out of a copy."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from rehearsal.templates.assembly import CloudAssembly

Resource = dict[str, Any]


def damaged(assembly: CloudAssembly, damage: Callable[[CloudAssembly], object]) -> CloudAssembly:
    """A copy of `assembly` after `damage`."""
    copy = replace(assembly, stacks=[replace(stack, template=deepcopy(stack.template)) for stack in assembly.stacks])
    damage(copy)
    return copy


def resources(assembly: CloudAssembly, kind: str, part: str = "") -> Iterator[tuple[dict[str, Resource], str]]:
    """Each resource of a type whose logical id contains `part`: the stack's resources, and the logical id."""
    found = False
    for stack in assembly.stacks:
        for logical_id, resource in list(stack.resources.items()):
            if resource["Type"] == kind and part in logical_id:
                found = True
                yield stack.template["Resources"], logical_id
    assert found, f"the damage meets nothing: {kind} {part}"


def without(kind: str, part: str = "") -> Callable[[CloudAssembly], None]:
    """Damage: resources of a type are gone."""

    def damage(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, kind, part):
            del siblings[logical_id]

    return damage


def without_statements(kind: str, part: str, effect: str) -> Callable[[CloudAssembly], None]:
    """Damage: the policies of a type have no statement of that effect."""

    def damage(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, kind, part):
            document = siblings[logical_id]["Properties"]["PolicyDocument"]
            document["Statement"] = [each for each in document["Statement"] if each["Effect"] != effect]

    return damage


def without_action(function: str, action: str) -> Callable[[CloudAssembly], None]:
    """Damage: the role of a function allows an action on no resource."""

    def damage(assembly: CloudAssembly) -> None:
        for siblings, logical_id in resources(assembly, "AWS::IAM::Policy", f"{function}Role"):
            for statement in siblings[logical_id]["Properties"]["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                statement["Action"] = [each for each in actions if each != action]

    return damage
