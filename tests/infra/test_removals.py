"""A function, a queue and the last use of a table can be removed in one deployment."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callmissed.platform.functions import CALLBACK_WORKER, EVENT_RELAY, LEDGER_EVENTS
from callmissed.platform.queues import CALLBACKS
from callmissed.platform.tables import DOMAINS, OUTBOX, physical_name
from infra.declarations import PRODUCT, Declarations
from tests.support.assembly import Assembly, synthesised

Templates = Mapping[str, dict[str, Any]]


def without_function(name: str) -> Declarations:
    """The product without that function and what calls it."""
    return replace(
        PRODUCT,
        functions=[function for function in PRODUCT.functions if function.name != name],
        queues=[queue for queue in PRODUCT.queues if queue.consumer != name],
        schedules=[schedule for schedule in PRODUCT.schedules if schedule.function != name],
    )


def without_table(name: str) -> Declarations:
    """The product without that table, its follower and every right to it."""
    functions = [
        replace(function, tables={table: actions for table, actions in function.tables.items() if table != name})
        for function in PRODUCT.functions
        if function.follows != name
    ]
    return replace(PRODUCT, functions=functions, tables=[table for table in PRODUCT.tables if table.name != name])


REMOVALS = {
    "worker of a queue, with the queue": without_function(CALLBACK_WORKER.name),
    "follower of a stream": without_function(LEDGER_EVENTS.name),
    "table": without_table(DOMAINS.name),
    "table with its follower": without_table(OUTBOX.name),
}


def intrinsics(value: Any, name: str) -> Iterator[Any]:
    """Arguments of every `name` in a template."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from intrinsics(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from intrinsics(inner, name)


def exports(template: dict[str, Any]) -> set[str]:
    """Names that a stack exports."""
    return {str(output["Export"]["Name"]) for output in template.get("Outputs", {}).values() if "Export" in output}


def blocked(deployed: Templates, wanted: Templates) -> set[str]:
    """Exports that CloudFormation would refuse to remove: stacks that are updated later still import them."""
    deployed, found = dict(deployed), set[str]()
    for name, template in wanted.items():
        removed = exports(deployed[name]) - exports(template)
        deployed[name] = template
        found |= removed & {str(imported) for imported in intrinsics(deployed, "Fn::ImportValue")}
    return found


def test_stacks_export_and_import_nothing(assembly: Assembly) -> None:
    assert list(intrinsics(dict(assembly.templates), "Fn::ImportValue")) == []
    assert set().union(*map(exports, assembly.templates.values())) == set()


def test_only_streams_are_read_from_another_stack(assembly: Assembly) -> None:
    """A stream's ARN has a date in it, so no one can build it; everything else is found by its name."""
    read = list(intrinsics(dict(assembly.templates), "Fn::GetStackOutput"))
    assert read and all("StreamArn" in output["OutputName"] for output in read)


REMOVED_NAMES = {
    "worker of a queue, with the queue": (CALLBACK_WORKER.name, f"-{CALLBACKS.dead_letters}"),
    "follower of a stream": (LEDGER_EVENTS.name,),
    "table": (physical_name("test", DOMAINS),),
    "table with its follower": (physical_name("test", OUTBOX), EVENT_RELAY.name),
}


@pytest.mark.parametrize("change", REMOVALS)
def test_removal_leaves_no_trace_and_no_import_of_what_is_gone(assembly: Assembly, tmp_path: Path, change: str) -> None:
    reduced = synthesised(tmp_path, REMOVALS[change])
    assert blocked(assembly.templates, reduced.templates) == set()
    assert [name for name in REMOVED_NAMES[change] if name not in str(assembly.templates)] == []
    assert [name for name in REMOVED_NAMES[change] if name in str(reduced.templates)] == []


def test_blocked_removal_is_found() -> None:
    export: dict[str, Any] = {"Outputs": {"Queue": {"Value": "q", "Export": {"Name": "events:Queue"}}}}
    use = {"Resources": {"Mapping": {"Fn::ImportValue": "events:Queue"}}}
    assert blocked({"events": export, "workers": use}, {"events": {}, "workers": {}}) == {"events:Queue"}
    assert blocked({"events": export, "workers": use}, {"workers": {}, "events": {}}) == set()
