"""Reading the audit log: filters, pages, bounded reads, CSV."""

import csv
import io
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.audit.events import Actor, ActorKind, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros, iso
from functions.auth.audit import csv_export, service
from functions.auth.audit.service import AuditLog, EventFilter
from local.aws.tables import StageTables
from tests.support.people import SignedIn
from tests.support.whole_product import Reply, Sent, WholeProduct

PATH = "/api/v1/audit/events"
DAY = 24 * 3600 * SECOND
KEY = Actor(ActorKind.KEY, "key_1", "203.0.113.9", "curl/8")


async def happened(
    owner: SignedIn, action: str = "key.create", *, ago: int = 0, actor: Actor = KEY, kind: str = "key", **metadata: str
) -> None:
    """Write one event as of `ago` days."""
    now = Micros(owner.product.clock() - ago * DAY)
    event = AuditEvent(owner.tenant, action, kind, "key_2", actor, metadata)
    await owner.product.database.transact([audit_operation(event, now)])


async def listed(owner: SignedIn, query: str = "", path: str = PATH) -> Reply:
    headers = (("Authorization", f"Bearer {owner.tokens.access}"),)
    return await owner.product.through_local_gateway(Sent("GET", path, headers, query=query))


async def actions(owner: SignedIn, query: str) -> list[str]:
    reply = await listed(owner, query)
    assert reply.status == 200, reply.body
    return [event["action"] for event in json.loads(reply.body)]


async def test_events_are_listed_newest_first_and_filtered(owner: SignedIn) -> None:
    for ago, action, kind in ((89, "a", "user"), (40, "b", "key"), (20, "c", "user"), (0, "d", "key")):
        await happened(owner, action, ago=ago, kind=kind)

    assert await actions(owner, "") == ["d", "c"]
    assert await actions(owner, "days=90") == ["d", "c", "b", "a"]
    assert await actions(owner, "days=90&resource_type=user") == ["c", "a"]
    assert await actions(owner, "days=90&action=b") == ["b"]
    assert await actions(owner, "days=90&action=b&resource_type=user") == []


async def test_pages_follow_each_other(owner: SignedIn) -> None:
    for number in range(5):
        await happened(owner, str(number), kind="user" if number % 2 else "key")

    assert await actions(owner, "limit=2") == ["4", "3"]
    assert await actions(owner, "limit=2&offset=2") == ["2", "1"]
    assert await actions(owner, "limit=2&offset=4") == ["0"]
    assert await actions(owner, "offset=100000") == []
    assert await actions(owner, "limit=1&offset=1&resource_type=key") == ["2"]


@pytest.mark.parametrize(
    "query",
    [
        *("days=0", "days=91", "limit=0", "limit=501", "offset=-1", "offset=100001"),
        f"action={101 * 'a'}",
        f"resource_type={51 * 'a'}",
    ],
)
async def test_values_out_of_bounds_are_unprocessable(owner: SignedIn, query: str) -> None:
    assert (await listed(owner, query)).status == 422


async def test_one_event_is_read_by_its_id(owner: SignedIn) -> None:
    await happened(owner, "key.revoke", reason="leaked")
    (shown,) = json.loads((await listed(owner)).body)

    one = await owner.call("GET", f"{PATH}/{shown['id']}")

    assert json.loads(one.body) == shown
    assert shown == {
        "id": shown["id"],
        "user_id": None,
        "actor_type": "key",
        "actor_id": "key_1",
        "action": "key.revoke",
        "resource_type": "key",
        "resource_id": "key_2",
        "ip_address": "203.0.113.9",
        "user_agent": "curl/8",
        "metadata": {"reason": "leaked"},
        "created_at": shown["created_at"],
    }


@pytest.mark.parametrize("wrong", ["x", "0" * 22, "%20", "0" * 1100])
async def test_unknown_event_is_not_found(owner: SignedIn, wrong: str) -> None:
    assert (await owner.call("GET", f"{PATH}/{wrong}")).status == 404


async def test_events_older_than_the_log_are_not_shown_before_their_removal(owner: SignedIn) -> None:
    await happened(owner, ago=91)
    (kept,) = [item async for item in owner.product.database.query(service.AUDIT, owner.tenant)]

    assert await actions(owner, "days=90") == []
    assert (await owner.call("GET", f"{PATH}/{kept['event']}")).status == 404


@pytest_asyncio.fixture
async def counted(product: WholeProduct, module_tables: StageTables) -> AsyncIterator[tuple[AuditLog, list[object]]]:
    """The log over a client that keeps its requests."""
    requests: list[object] = []
    dynamodb = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=20, observe=requests.append)
    yield AuditLog(Database(dynamodb, product.database.stage)), requests
    await dynamodb.close()


async def test_a_rare_action_is_sought_in_a_bounded_number_of_events(
    owner: SignedIn, counted: tuple[AuditLog, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_READ", 20)
    monkeypatch.setattr(service, "_CHUNK", 10)
    await happened(owner, "rare", ago=1)
    for _ in range(25):
        await happened(owner, "frequent")
    log, requests = counted

    page = await log.page(owner.tenant, EventFilter(30, "rare"), owner.product.clock(), limit=5)
    assert (page.events, page.truncated, len(requests)) == ([], True, 2)

    requests.clear()
    page = await log.page(owner.tenant, EventFilter(30, "frequent"), owner.product.clock(), limit=5, offset=3)
    assert (len(page.events), page.truncated, len(requests)) == (5, False, 2)
    assert "x-truncated" not in (await listed(owner, "limit=20")).headers
    assert (await listed(owner, "action=rare")).headers["x-truncated"] == "true"


async def export(owner: SignedIn, query: str = "") -> tuple[list[dict[str, str]], Reply]:
    reply = await listed(owner, query, f"{PATH}.csv")
    assert reply.status == 200, reply.body
    return list(csv.DictReader(io.StringIO(reply.body.decode()))), reply


async def test_the_log_is_exported_as_csv(owner: SignedIn) -> None:
    person = Actor(ActorKind.PERSON, "usr_1", "2001:db8::1", "agent " * 60)
    await happened(owner, "key.create", actor=person, name='a,b;c "d" ü')

    (row,), reply = await export(owner, "days=1")

    day = iso(owner.product.clock())[:10].replace("-", "")
    assert reply.headers["content-disposition"] == f'attachment; filename="audit-{day}.csv"'
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert tuple(row) == csv_export.COLUMNS
    assert (row["user_id"], row["ip_address"], len(row["user_agent"])) == ("usr_1", "2001:db8::1", 200)
    assert json.loads(row["metadata_json"]) == {"name": 'a,b;c "d" ü'}
    assert "x-truncated" not in reply.headers


async def test_an_export_is_bounded_in_rows_and_bytes(owner: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_CHUNK", 2)
    monkeypatch.setattr(csv_export, "MAX_ROWS", 5)
    for number in range(5):
        await happened(owner, str(number))
    rows, reply = await export(owner)
    assert (len(rows), "x-truncated" in reply.headers) == (5, False)

    await happened(owner, "5")
    rows, reply = await export(owner)
    assert [row["action"] for row in rows] == ["5", "4", "3", "2", "1"]
    assert reply.headers["x-truncated"] == "true"

    monkeypatch.setattr(csv_export, "MAX_BYTES", 400)
    rows, reply = await export(owner, "action=5")
    assert (len(rows), "x-truncated" in reply.headers) == (1, False)
    rows, reply = await export(owner)
    assert (len(rows), reply.headers["x-truncated"]) == (4, "true")
