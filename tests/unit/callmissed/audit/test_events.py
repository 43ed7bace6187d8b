"""Events of the audit log, and what functions may do with them."""

import pytest

from callmissed.audit.events import Actor, ActorKind, AuditEvent, audit_operation, stored_event_of
from callmissed.aws.attributes import from_item
from callmissed.clock import SECOND, Micros, iso
from callmissed.platform.functions import FUNCTIONS, Function
from callmissed.platform.tables import AUDIT

NOW = Micros(1_795_599_000 * SECOND)
MAY_READ_AND_ADD = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}
WRITERS = [function for function in FUNCTIONS if AUDIT.name in function.tables]


@pytest.mark.parametrize("function", WRITERS, ids=lambda function: function.name)
def test_functions_only_add_events(function: Function) -> None:
    assert set(function.tables[AUDIT.name]) <= MAY_READ_AND_ADD


def test_an_event_is_stored_under_its_moment_and_never_over_another() -> None:
    actor = Actor(ActorKind.OPERATOR, "arn:aws:iam::123456789012:user/ada", "203.0.113.1", "x" * 600, "asked by mail")
    event = AuditEvent("tnt_1", "key.create", "key", "key_1", actor, {"name": "server"})

    operation = audit_operation(event, NOW)

    assert operation.kind == "Put"
    assert "attribute_not_exists" in operation.request["ConditionExpression"]
    stored = stored_event_of(from_item(operation.request["Item"]))
    assert (stored.created_at, len(stored.event.actor.user_agent)) == (iso(NOW), 512)
    assert stored.event.metadata == {"name": "server", "reason": "asked by mail"}


def test_events_of_a_transaction_are_in_the_order_in_which_they_were_written() -> None:
    event = AuditEvent("tnt_1", "session.begin", "user", "usr_1", Actor(ActorKind.PERSON, "usr_1"))
    moments = [now for each in range(8) for now in [Micros(NOW + each)] * 8]

    ids = [from_item(audit_operation(event, now).request["Item"])["event"] for now in moments]

    assert ids == sorted(ids)
