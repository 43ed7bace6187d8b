"""A plan: every resource of every stack, in the order of creation, with its references resolved."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from local.aws.account import REGION
from rehearsal.errors import PlanError
from rehearsal.templates.assembly import CloudAssembly, StackTemplate, Template
from rehearsal.templates.identities import PSEUDO_PARAMETERS, Identity, identity_of

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_RETAINING = {"Retain", "RetainExceptOnCreate"}


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One resource with resolved `properties`."""

    stack: str
    logical_id: str
    type: str
    properties: Mapping[str, Any]
    identity: Identity
    deletion_policy: str = "Delete"

    @property
    def path(self) -> str:
        """Where it stands: the stack's id and the logical id."""
        return f"{self.stack}.Resources.{self.logical_id}"

    @property
    def arn(self) -> str:
        """Its ARN; empty for a type that has none here."""
        arn = self.identity.attributes.get("Arn", "")
        return arn or (self.identity.ref if self.identity.ref.startswith("arn:") else "")

    @property
    def name(self) -> str:
        """Its physical name."""
        return self.identity.name

    @property
    def survives(self) -> bool:
        """Whether it stays when its stack is deleted."""
        return self.deletion_policy in _RETAINING


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """`resources` in the order of creation. `protected` are the stacks with termination protection."""

    resources: Sequence[PlannedResource]
    protected: frozenset[str] = frozenset()

    def of(self, *types: str) -> list[PlannedResource]:
        """The resources of `types`, such as `AWS::SQS::Queue`."""
        return [resource for resource in self.resources if resource.type in types]

    def with_arn(self, arn: str) -> PlannedResource | None:
        """The resource of that ARN; for a function's version or alias, the function's."""
        return next((resource for resource in self.resources if resource.arn and resource.arn == arn), None)


def make_plan(assembly: CloudAssembly) -> DeploymentPlan:
    """The plan of all stacks. Raises PlanError with every reference that can't be resolved."""
    problems: list[str] = []
    outputs: dict[tuple[str, str], Any] = {}
    exports: dict[str, Any] = {}
    resources: list[PlannedResource] = []
    for stack in assembly.stacks:
        planner = _StackPlanner(stack, outputs, exports, problems)
        resources += planner.resources()
        planner.publish()
    if problems:
        raise PlanError(problems)
    return DeploymentPlan(resources, frozenset(stack.name for stack in assembly.stacks if not stack.terminates))


class _UnresolvableError(Exception):
    """The text says why."""


@dataclass
class _StackPlanner:
    """Resolves one stack, after those whose `outputs` and `exports` are known."""

    stack: StackTemplate
    outputs: dict[tuple[str, str], Any]
    exports: dict[str, Any]
    problems: list[str]
    _planned: dict[str, PlannedResource] = field(default_factory=dict[str, PlannedResource])

    def resources(self) -> list[PlannedResource]:
        for logical_id in self._ordered():
            self._planned[logical_id] = self._plan(logical_id, self.stack.resources[logical_id])
        return list(self._planned.values())

    def publish(self) -> None:
        """Make the outputs known to later stacks."""
        for name, output in self.stack.template.get("Outputs", {}).items():
            value = self._resolved(output["Value"], f"{self.stack.id}.Outputs.{name}")
            self.outputs[self.stack.name, name] = value
            if export := output.get("Export"):
                self.exports[self._resolved(export["Name"], f"{self.stack.id}.Outputs.{name}.Export")] = value

    def _ordered(self) -> list[str]:
        names = set(self.stack.resources)
        needs = {name: set(_needs(resource)) & names for name, resource in self.stack.resources.items()}
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            self.problems.append(f"{self.stack.id}: circular dependency: {', '.join(error.args[1])}")
            return list(self.stack.resources)

    def _plan(self, logical_id: str, resource: Template) -> PlannedResource:
        where = f"{self.stack.id}.Resources.{logical_id}"
        for other in _as_list(resource.get("DependsOn", [])):
            if other not in self.stack.resources:
                self.problems.append(f"{where}.DependsOn: the stack has no resource '{other}'")
        properties = self._resolved(resource.get("Properties", {}), f"{where}.Properties")
        identity = identity_of(resource["Type"], properties, self.stack.name, logical_id)
        policy = resource.get("DeletionPolicy", "Delete")
        return PlannedResource(self.stack.id, logical_id, resource["Type"], properties, identity, policy)

    def _resolved(self, value: Any, where: str) -> Any:
        """`value` without intrinsic functions; a problem is recorded at the innermost place that has one."""
        if isinstance(value, list):
            each = [self._resolved(item, f"{where}[{number}]") for number, item in enumerate(cast("list[Any]", value))]
            return [item for item in each if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        mapping = cast("dict[str, Any]", value)
        if len(mapping) == 1 and (function := self._functions().get(name := next(iter(mapping)))):
            try:
                return function(self._resolved(mapping[name], where) if name not in _LAZY else mapping[name])
            except _UnresolvableError as error:
                self.problems.append(f"{where}: {error}")
                return f"<unresolved {where}>"
        each = {name: self._resolved(item, f"{where}.{name}") for name, item in mapping.items()}
        return {name: item for name, item in each.items() if item is not _NO_VALUE}

    def _functions(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "Ref": self._ref,
            "Fn::GetAtt": self._attribute,
            "Fn::ImportValue": self._import,
            "Fn::GetStackOutput": self._output,
            "Fn::Sub": self._substitute,
            "Fn::Join": lambda given: str(given[0]).join(map(str, given[1])),
            "Fn::Select": _select,
            "Fn::Split": lambda given: str(given[1]).split(given[0]),
            "Fn::Base64": lambda given: base64.b64encode(str(given).encode()).decode(),
        }

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name == "AWS::StackName":
            return self.stack.name
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self._planned:
            return self._planned[name].identity.ref
        parameters = self.stack.template.get("Parameters", {})
        if "Default" in parameters.get(name, {}):
            return parameters[name]["Default"]
        raise _UnresolvableError(f"the stack has no resource or parameter '{name}'")

    def _attribute(self, given: Any) -> Any:
        name, attribute = given.split(".", 1) if isinstance(given, str) else (given[0], ".".join(given[1:]))
        if name not in self._planned:
            raise _UnresolvableError(f"the stack has no resource '{name}'")
        found = self._planned[name]
        if attribute not in found.identity.attributes:
            raise _UnresolvableError(f"'{name}' ({found.type}) has no attribute '{attribute}'")
        return found.identity.attributes[attribute]

    def _import(self, name: str) -> Any:
        if name not in self.exports:
            raise _UnresolvableError(f"no stack before exports '{name}'")
        return self.exports[name]

    def _output(self, given: Any) -> Any:
        stack, output = str(given["StackName"]).rpartition("/")[2], str(given["OutputName"])
        if (region := given.get("Region", REGION)) != REGION:
            raise _UnresolvableError(f"the stack '{stack}' is in another region, {region}")
        if (stack, output) not in self.outputs:
            raise _UnresolvableError(f"no stack before has the output '{stack}.{output}'")
        return self.outputs[stack, output]

    def _substitute(self, given: Any) -> str:
        text: str = given if isinstance(given, str) else given[0]
        own: dict[str, Any] = {} if isinstance(given, str) else given[1]

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return str(own[name])
            return str(self._attribute(name) if "." in name else self._ref(name))

        return _VARIABLE.sub(value, text).replace("${!", "${")


_NO_VALUE = object()
_LAZY = {"Ref", "Fn::GetAtt"}
"""Functions whose argument is a name, not a value."""


def _select(given: Any) -> Any:
    number, items = int(given[0]), given[1]
    if number >= len(items):
        raise _UnresolvableError(f"a list of {len(items)} has no item {number}")
    return items[number]


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _needs(value: Any) -> Iterator[str]:
    """Logical ids, and other names, that `value` refers to."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _needs(item)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            if name in ("Ref", "DependsOn"):
                yield from map(str, _as_list(item))
            elif name == "Fn::GetAtt":
                yield str(item.split(".")[0] if isinstance(item, str) else item[0])
            elif name == "Fn::Sub":
                yield from (
                    match.split(".")[0] for match in _VARIABLE.findall(item if isinstance(item, str) else item[0])
                )
                yield from _needs(item)
            else:
                yield from _needs(item)
