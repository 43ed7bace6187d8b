"""The record of a ledger entry: everything that says something, zeros included."""

from dataclasses import asdict, fields

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.clock import Micros
from callmissed.ledger.entries import (
    Account,
    EntryType,
    LedgerEntry,
    Outcome,
    Try,
    Usage,
    UsageLine,
    entry_of,
    to_record,
    void,
)

NOVEMBER = Micros(1_794_787_200_000_000)


def entry(**more: object) -> LedgerEntry:
    movement = {"amount": 5, "debit": Account.HELD, "credit": Account.REVENUE, "created": NOVEMBER}
    return LedgerEntry(**{"tenant": "tnt_1", "entry_id": "call", "type": EntryType.DEDUCTION} | movement | more)  # type: ignore[arg-type]


def test_a_plain_entry_says_no_more_than_it_must() -> None:
    assert to_record(entry()) == {
        "tenant": "tnt_1",
        "entry": "call",
        "type": "deduction",
        "amount": 5,
        "debit": "tenant:held",
        "credit": "revenue",
        "created": NOVEMBER,
        "shortfall": 0,
    }


def test_zeros_are_kept() -> None:
    usage = Usage("llm", "m", "p", (UsageLine("input", 0, 0, 1),))

    record = to_record(entry(amount=0, held=(0, 0), usage=usage))

    assert (record["amount"], record["held"], record["shortfall"]) == (0, (0, 0), 0)
    assert record["usage"]["lines"] == [{"unit": "input", "quantity": 0, "price": 0, "per": 1}]
    assert (record["usage"]["latency_ms"], record["usage"]["first_byte_ms"]) == (0, 0)


@pytest.mark.parametrize("name", ["held", "description", "reference", "sandbox", "usage"])
def test_what_says_nothing_is_left_out(name: str) -> None:
    assert name not in to_record(entry())


@pytest.mark.parametrize("name", ["price_version", "estimated", "streamed", "key_id", "upstream_id"])
def test_what_says_nothing_of_the_usage_is_left_out(name: str) -> None:
    assert name not in to_record(entry(usage=Usage("llm", "m", "p")))["usage"]


def test_everything_that_is_said_is_in_the_table() -> None:
    usage = Usage(
        service="llm",
        model="a-model",
        provider="lab",
        lines=(UsageLine("input", 3, 1_000_000, 10**6), UsageLine("output", 4, 2_000_000, 10**6)),
        price_version="v1",
        estimated=True,
        outcome=Outcome.CLIENT_CLOSED,
        streamed=True,
        latency_ms=12,
        first_byte_ms=3,
        key_id="key_1",
        upstream_id="chatcmpl-1",
        served="lab-free",
        tries=(Try("lab", "lab-free", "429"),),
    )
    full = entry(held=(9, 7), shortfall=2, description="d", reference="r", sandbox=True, usage=usage)

    stored = from_item(to_item(to_record(full)))

    lines = [asdict(line) for line in usage.lines]
    assert stored["usage"] == {field.name: getattr(usage, field.name) for field in fields(usage)} | {
        "lines": lines,
        "tries": [["lab", "lab-free", "429"]],
    }
    assert usage.quantities == {"input": 3, "output": 4}
    assert entry_of(stored) == full
    names = {field.name: "entry" if field.name == "entry_id" else field.name for field in fields(full)}
    assert stored | {"held": (9, 7)} == {
        stored_name: stored["usage"] if name == "usage" else getattr(full, name) for name, stored_name in names.items()
    }
    assert stored["held"] == [9, 7]


def test_a_void_closes_a_call_and_moves_nothing() -> None:
    record = to_record(void("tnt_1", "call", NOVEMBER, "expired"))

    assert (record["type"], record["amount"], record["description"]) == ("void", 0, "expired")
    assert (record["tenant"], record["entry"], record["created"]) == ("tnt_1", "call", NOVEMBER)
