"""The requests that operations make: what DynamoDB gets to see of conditions and changes."""

from callmissed.aws.attributes import to_item
from callmissed.aws.comparisons import at_least, begins_with, below, between, equal, missing_or
from callmissed.aws.operations import (
    check_operation,
    delete_operation,
    put_new_operation,
    put_operation,
    update_operation,
)
from callmissed.platform.tables import OUTBOX, TENANTS

KEY = {"tenant": "tnt_1", "item": "TENANT"}


def test_an_operation_to_put_writes_the_item_without_a_condition() -> None:
    operation = put_operation(OUTBOX, {"id": "evt_1"})
    assert (operation.kind, operation.table, operation.request) == ("Put", OUTBOX, {"Item": {"id": {"S": "evt_1"}}})


def test_an_operation_to_put_a_new_item_fails_where_there_is_one() -> None:
    request = put_new_operation(TENANTS, KEY).request
    assert request["ConditionExpression"] == "attribute_not_exists(#tenant)"
    assert request["ExpressionAttributeNames"] == {"#tenant": "tenant"}
    assert "ExpressionAttributeValues" not in request


def test_an_update_of_everything_names_each_attribute_once() -> None:
    operation = update_operation(
        TENANTS,
        KEY,
        set={"name": "A"},
        set_missing={"since": 7},
        copy={"last": "rev"},
        remove=("off",),
        add={"rev": 1},
        discard={"owners": frozenset({"x"})},
        expected={"rev": 4, "name": "B"},
        must_not_exist=("ended",),
    )
    assert operation.request == {
        "Key": to_item(KEY),
        "UpdateExpression": "SET #name = :v0, #since = if_not_exists(#since, :v1), #last = #rev"
        " REMOVE #off ADD #rev :v2 DELETE #owners :v3",
        "ConditionExpression": "attribute_exists(#tenant) AND #rev = :v4 AND #name = :v5"
        " AND attribute_not_exists(#ended)",
        "ExpressionAttributeNames": {
            f"#{n}": n for n in ("name", "since", "last", "rev", "off", "owners", "tenant", "ended")
        },
        "ExpressionAttributeValues": to_item(
            {":v0": "A", ":v1": 7, ":v2": 1, ":v3": frozenset({"x"}), ":v4": 4, ":v5": "B"}
        ),
    }


def test_an_update_with_upsert_has_no_condition_of_its_own() -> None:
    request = update_operation(TENANTS, KEY, add={"n": 1}, upsert=True).request
    assert "ConditionExpression" not in request


def test_deletes_and_checks_ask_for_an_item_that_exists() -> None:
    for operation, kind in ((delete_operation, "Delete"), (check_operation, "ConditionCheck")):
        made = operation(TENANTS, KEY, expected={"owner": "a"})
        assert made.kind == kind
        assert made.request["ConditionExpression"] == "attribute_exists(#tenant) AND #owner = :v0"


def test_comparisons_become_conditions() -> None:
    expected = {
        "a": at_least(1),
        "b": below(2),
        "c": between(3, 4),
        "d": begins_with("x"),
        "e": missing_or(equal("y")),
    }
    request = put_operation(OUTBOX, {"id": "evt_1"}, expected=expected).request
    assert request["ConditionExpression"] == (
        "#a >= :v0 AND #b < :v1 AND #c BETWEEN :v2 AND :v3 AND begins_with(#d, :v4)"
        " AND (attribute_not_exists(#e) OR #e = :v5)"
    )
    values = {":v0": 1, ":v1": 2, ":v2": 3, ":v3": 4, ":v4": "x", ":v5": "y"}
    assert request["ExpressionAttributeValues"] == to_item(values)
