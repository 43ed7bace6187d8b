"""The list of transactions over HTTP, on DynamoDB Local: pages, filters, sums, and what is refused."""

import json
from typing import Any

import pytest

from callmissed.clock import MINUTE, iso
from callmissed.errors import ApiError
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.history import checkpoints, transactions
from callmissed.ledger.history.checkpoints import generation, newest
from callmissed.ledger.history.transactions import TransactionFilter
from tests.support.ledger_entries import entry_at, write_entries
from tests.support.people import SignedIn, new_tenant
from tests.support.whole_product import Reply

DAY = 24 * 60 * MINUTE
CREDIT = 1_000_000
_PATH = "/api/v1/credits/transactions"


async def get(person: SignedIn, query: str = "") -> Any:
    reply = await person.call("GET", _PATH, query=query)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


async def refused(person: SignedIn, query: str) -> tuple[int, str]:
    reply: Reply = await person.call("GET", _PATH, query=query)
    return reply.status, reply.error["code"]


async def written(owner: SignedIn, *entries: tuple[int, int, EntryType]) -> list[LedgerEntry]:
    """Entries of (days ago, micro-credits, type)."""
    now = owner.product.clock()
    made = [entry_at(owner.tenant, now - days * DAY, amount, kind) for days, amount, kind in entries]
    await write_entries(owner.product.database, made)
    return made


async def test_transactions_are_newest_first_with_the_balance_after_each(owner: SignedIn) -> None:
    bought, spent, refund = await written(
        owner,
        (3, 100 * CREDIT, EntryType.PURCHASE),
        (2, 420_000, EntryType.DEDUCTION),
        (1, -10 * CREDIT, EntryType.REFUND),
    )
    found = await get(owner)
    assert [(row["id"], row["amount"], row["balance_after"], row["type"]) for row in found["data"]] == [
        (refund.entry_id, -10.0, 89.58, "refund"),
        (spent.entry_id, -0.42, 99.58, "deduction"),
        (bought.entry_id, 100.0, 100.0, "purchase"),
    ]
    assert found["data"][2]["created_at"] == iso(bought.created)
    assert found["data"][2]["reference_id"] == "r"
    assert found["next_cursor"] is None
    assert found["summary_by_type"] == {
        "deduction": {"count": 1, "total": -0.42},
        "purchase": {"count": 1, "total": 100.0},
        "refund": {"count": 1, "total": -10.0},
    }


async def test_pages_keep_balance_and_summary(owner: SignedIn) -> None:
    await written(owner, *[(day, CREDIT, EntryType.COUPON) for day in range(1, 6)])
    whole = await get(owner)
    first = await get(owner, "limit=2")
    second = await get(owner, f"limit=2&cursor={first['next_cursor']}")
    third = await get(owner, f"limit=2&cursor={second['next_cursor']}")
    assert [*first["data"], *second["data"], *third["data"]] == whole["data"]
    assert third["next_cursor"] is None
    assert second["summary_by_type"] == whole["summary_by_type"] == {"coupon": {"count": 5, "total": 5.0}}


async def test_balance_after_counts_what_a_filter_hides(owner: SignedIn) -> None:
    await written(
        owner, (40, 5 * CREDIT, EntryType.SIGNUP_BONUS), (20, CREDIT, EntryType.DEDUCTION), (1, CREDIT, EntryType.ADMIN)
    )
    granted = await get(owner, "type=admin")
    assert [row["balance_after"] for row in granted["data"]] == [5.0]
    assert granted["summary_by_type"] == {"admin": {"count": 1, "total": 1.0}}
    recent = await get(owner, "since_days=30")
    assert [row["balance_after"] for row in recent["data"]] == [5.0, 4.0]
    assert recent["summary_by_type"].keys() == {"admin", "deduction"}


async def test_before_leaves_out_its_own_moment(owner: SignedIn) -> None:
    made = await written(owner, (2, CREDIT, EntryType.ADMIN), (1, CREDIT, EntryType.ADMIN))
    moment = iso(made[1].created)
    assert [row["id"] for row in (await get(owner, f"before={moment}"))["data"]] == [made[0].entry_id]
    without_zone = moment.removesuffix("Z")
    assert [row["id"] for row in (await get(owner, f"before={without_zone}"))["data"]] == [made[0].entry_id]
    assert (await get(owner, "before=1960-01-01"))["data"] == []
    assert (await get(owner, "before=0001-01-01T00:00:00%2B14:00"))["data"] == []
    assert len((await get(owner, "before=9999-12-31T23:59:59-14:00"))["data"]) == len((await get(owner))["data"])
    assert (await get(owner, f"before={moment}&since_days=1"))["summary_by_type"] == {}


async def test_entries_that_move_nothing_are_not_shown(owner: SignedIn) -> None:
    await written(owner, (1, 0, EntryType.VOID), (1, 0, EntryType.DEDUCTION))
    assert await get(owner) == {"data": [], "next_cursor": None, "summary_by_type": {}}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("before=yesterday", 400),
        ("before=", 400),
        ("type=void", 400),
        ("type=gift", 400),
        ("limit=0", 422),
        ("limit=201", 422),
        ("since_days=0", 422),
        ("since_days=366", 422),
        ("cursor=x", 422),
    ],
)
async def test_bad_filter_is_refused(owner: SignedIn, query: str, status: int) -> None:
    assert await refused(owner, query) == (status, "invalid_request_error")


async def test_tenants_see_their_own(owner: SignedIn) -> None:
    await written(owner, (1, CREDIT, EntryType.ADMIN))
    other = await new_tenant(owner.product)
    assert (await get(other))["data"] == []


async def test_reader_writes_checkpoints_where_they_are_missing(
    owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SEGMENT", 2)
    monkeypatch.setattr(transactions, "SEGMENT", 2)
    made = await written(owner, *[(day, CREDIT, EntryType.ADMIN) for day in (9, 8, 7, 6, 5)])
    before = await get(owner)
    number = await generation(owner.product.database, owner.tenant)
    last = await newest(owner.product.database, owner.tenant, number)
    assert (last.upto, last.sums.entries, last.sums.balance) == (made[3].entry_id, 4, 4 * CREDIT)
    assert await get(owner) == before


async def test_request_reads_a_bounded_number_of_entries(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SEGMENT", 2)
    monkeypatch.setattr(transactions, "SEGMENT", 2)
    monkeypatch.setattr(transactions, "MAX_READ", 5)
    await written(owner, *[(day, CREDIT, EntryType.ADMIN) for day in range(1, 12)])
    assert await refused(owner, "") == (503, "service_unavailable")
    assert await refused(owner, "") == (503, "service_unavailable")
    assert len((await get(owner, "limit=2"))["data"]) == 2  # each refusal had written checkpoints


async def test_changed_past_is_read_again(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))

    async def changing(*_: object) -> int:
        return next(numbers)

    monkeypatch.setattr(transactions, "generation", changing)
    product = owner.product
    with pytest.raises(ApiError) as refusal:
        await transactions.transactions(product.database, owner.tenant, TransactionFilter(), product.clock(), limit=1)
    assert refusal.value.status == 409
