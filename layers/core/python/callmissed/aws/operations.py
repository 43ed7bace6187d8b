"""Writes as data: single ones, and the operations of a transaction.

An operation knows its table but not its stage; `callmissed.aws.database.Database` executes it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

from callmissed.aws.attributes import Item, Value, to_item
from callmissed.aws.comparisons import Comparison
from callmissed.aws.expressions import Expressions
from callmissed.platform.tables import Table


@dataclass(frozen=True, slots=True)
class WriteOperation:
    """One write of `table`: DynamoDB's request without the table's name."""

    kind: Literal["Put", "Update", "Delete", "ConditionCheck"]
    table: Table
    request: dict[str, Any]


class Conditions(TypedDict, total=False):
    """Conditions of a write: attributes that are as `expected`, and attributes that `must_not_exist`."""

    expected: Mapping[str, Value | Comparison]
    must_not_exist: Collection[str]


class Changes(Conditions, total=False):
    """Changes of an item, under conditions.

    `set_missing` sets attributes that the item does not have; `copy` names attributes whose value, as it was before,
    others get; `add` adds numbers to numbers and members to sets,
    `discard` removes members from sets. An item that does not exist is changed only with `upsert`, and created by it.
    A number may be added twice when an answer is lost, so `add` numbers in a transaction, or under a condition that
    the addition makes false.
    """

    set: Mapping[str, Value]
    set_missing: Mapping[str, Value]
    copy: Mapping[str, str]
    add: Mapping[str, int | frozenset[str]]
    discard: Mapping[str, frozenset[str]]
    remove: Collection[str]
    upsert: bool


def put_operation(table: Table, item: Item, **conditions: Unpack[Conditions]) -> WriteOperation:
    """Write the item, replacing an existing one, if the `conditions` hold for the existing one."""
    expressions = Expressions()
    expressions.write("ConditionExpression", " AND ".join(_conditions(expressions, conditions)))
    return WriteOperation("Put", table, {"Item": to_item(item), **expressions.request})


def put_new_operation(table: Table, item: Item) -> WriteOperation:
    """Write the item unless one exists."""
    return put_operation(table, item, must_not_exist=(table.partition_key,))


def update_operation(table: Table, key: Item, **changes: Unpack[Changes]) -> WriteOperation:
    """Change the item, if the conditions hold."""
    expressions = Expressions()
    expressions.write("UpdateExpression", _update(expressions, changes))
    exists = [] if changes.get("upsert") else [_exists(expressions, table)]
    expressions.write("ConditionExpression", " AND ".join([*exists, *_conditions(expressions, changes)]))
    return WriteOperation("Update", table, {"Key": to_item(key), **expressions.request})


def delete_operation(table: Table, key: Item, **conditions: Unpack[Conditions]) -> WriteOperation:
    """Delete the item, which must exist, if the `conditions` hold."""
    return WriteOperation("Delete", table, _existing(table, key, conditions))


def discard_operation(table: Table, key: Item) -> WriteOperation:
    """Delete the item, if it exists."""
    return WriteOperation("Delete", table, {"Key": to_item(key)})


def check_operation(table: Table, key: Item, **conditions: Unpack[Conditions]) -> WriteOperation:
    """Write nothing; the transaction fails unless the item exists and the `conditions` hold."""
    return WriteOperation("ConditionCheck", table, _existing(table, key, conditions))


def _existing(table: Table, key: Item, conditions: Conditions) -> dict[str, Any]:
    expressions = Expressions()
    exists = _exists(expressions, table)
    expressions.write("ConditionExpression", " AND ".join([exists, *_conditions(expressions, conditions)]))
    return {"Key": to_item(key), **expressions.request}


def _exists(expressions: Expressions, table: Table) -> str:
    return f"attribute_exists({expressions.name(table.partition_key)})"


def _conditions(expressions: Expressions, conditions: Conditions) -> list[str]:
    missing = [f"attribute_not_exists({expressions.name(name)})" for name in conditions.get("must_not_exist", ())]
    return expressions.conditions(conditions.get("expected", {})) + missing


def _update(expressions: Expressions, changes: Changes) -> str:
    name, value = expressions.name, expressions.value
    sets = [f"{name(each)} = {value(new)}" for each, new in changes.get("set", {}).items()]
    sets += [f"{name(each)} = if_not_exists({name(each)}, {value(new)})" for each, new in _missing(changes)]
    sets += [f"{name(each)} = {name(source)}" for each, source in changes.get("copy", {}).items()]
    clauses = {
        "SET": sets,
        "REMOVE": [name(each) for each in changes.get("remove", ())],
        "ADD": [f"{name(each)} {value(more)}" for each, more in changes.get("add", {}).items()],
        "DELETE": [f"{name(each)} {value(members)}" for each, members in changes.get("discard", {}).items()],
    }
    return " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses.items() if terms)


def _missing(changes: Changes) -> Collection[tuple[str, Value]]:
    return changes.get("set_missing", {}).items()
