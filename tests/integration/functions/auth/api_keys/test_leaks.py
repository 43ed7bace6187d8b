"""Reports of leaked keys: a key that is proven by its secret ends, and its owner learns of it."""

import json
import re
from typing import Any

import pytest

from callmissed.aws.queues import QueueUnavailable
from callmissed.clock import MINUTE, Micros
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, new_secret
from callmissed.platform.tables import LIMITS
from functions.auth.api_keys.leaks import LeakedKeys
from functions.auth.mail.jobs import parse
from functions.auth.mail.templates import render
from local.paths import ROOT
from tests.support.inference.gateway import PEPPER, Accounts
from tests.support.logs import written_logs
from tests.support.people import SignedIn
from tests.support.whole_product import Reply, Sent, WholeProduct

LEAKED = "/api/v1/keys/leaked"
KEYS = "/api/v1/keys"


async def report(product: WholeProduct, secret: Any) -> Reply:
    return await product.through_local_gateway(
        Sent("POST", LEAKED, [("Content-Type", "application/json")], json.dumps({"key": secret}).encode())
    )


@pytest.fixture(autouse=True)
async def _no_earlier_reports(product: WholeProduct) -> None:
    """Each test begins with an empty window: they all come from one address."""
    async for item in product.database.scan(LIMITS):
        await product.database.delete_if(LIMITS, {"id": item["id"]})
    product.mails.bodies.clear()


async def made(owner: SignedIn, **fields: Any) -> dict[str, Any]:
    return json.loads((await owner.call("POST", KEYS, {"name": "a key", **fields})).body)


async def status_of(owner: SignedIn, key: dict[str, Any]) -> str:
    return json.loads((await owner.call("GET", f"{KEYS}/{key['id']}")).body)["status"]


async def test_leaked_key_is_revoked_and_its_owner_gets_a_mail(product: WholeProduct, owner: SignedIn) -> None:
    key = await made(owner)

    replies = [await report(product, f" {key['key']}\n") for _ in range(2)]

    assert {reply.status for reply in replies} == {200}
    assert await status_of(owner, key) == "revoked"
    (body,) = product.mails.bodies
    job = parse(body, product.people.leaked_keys._mails._sealer)
    mail = render(job.name, job.to, job.parameters)
    assert mail.to == owner.user.email
    assert key["masked"] in mail.text
    assert key["key"] not in mail.text
    event = json.loads((await owner.call("GET", "/api/v1/audit/events")).body)[0]
    assert (event["action"], event["actor_type"], event["user_id"]) == ("key.leak", "system", None)


async def test_answer_is_the_same_whether_there_is_such_a_key(product: WholeProduct, owner: SignedIn) -> None:
    key = await made(owner)
    texts = [key["key"], key["key"], new_secret(Mode.LIVE), key["key"][:-1], "no key", key["masked"]]

    replies = [await report(product, text) for text in texts]

    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}


@pytest.mark.parametrize("body", [b"{}", b'{"key": ""}', b'{"key": 1}', b"[]", b"{"])
async def test_report_without_a_key_is_invalid(product: WholeProduct, body: bytes) -> None:
    reply = await product.through_local_gateway(Sent("POST", LEAKED, [("Content-Type", "application/json")], body))

    assert reply.status in (400, 422)


async def test_reports_of_an_address_are_limited(product: WholeProduct) -> None:
    replies = [await report(product, new_secret(Mode.LIVE)) for _ in range(11)]

    assert [reply.status for reply in replies] == [200] * 10 + [429]
    assert int(replies[-1].headers["retry-after"]) > 0


async def test_secret_that_has_ended_ends_nothing_else(product: WholeProduct, owner: SignedIn) -> None:
    key = await made(owner)
    await owner.call("POST", f"{KEYS}/{key['id']}/rotate")

    await report(product, key["key"])

    assert (await status_of(owner, key), product.mails.bodies) == ("active", [])


async def test_earlier_secret_that_still_works_ends_the_key(product: WholeProduct, owner: SignedIn) -> None:
    key = await made(owner)
    await owner.call("POST", f"{KEYS}/{key['id']}/rotate", {"overlap_hours": 1})
    await owner.call("PUT", f"{KEYS}/{key['id']}", {"is_active": False})

    await report(product, key["key"])

    assert await status_of(owner, key) == "revoked"


async def of_tenant_without_people(product: WholeProduct) -> NewKey:
    accounts = Accounts(product.dynamodb, product.database.stage)
    account = await accounts.account()
    return await accounts.key(account.tenant)


async def test_key_of_a_tenant_without_people_is_revoked(product: WholeProduct) -> None:
    key = await of_tenant_without_people(product)

    assert (await report(product, key.secret)).status == 200

    manager = KeyManager(product.database, PEPPER)
    assert (await manager.get(key.record.tenant, key.record.key_id)).is_revoked
    assert product.mails.bodies == []


async def test_key_under_an_earlier_pepper_is_found(product: WholeProduct, owner: SignedIn) -> None:
    earlier = b"an earlier pepper of the ring"
    manager, now = KeyManager(product.database, earlier), product.clock()
    policy = KeyPolicy(expires=Micros(now + MINUTE))
    live, ended = [
        await manager.create(owner.tenant, name="old", mode=Mode.LIVE, policy=policy, now=now) for _ in range(2)
    ]
    service: Any = product.people.leaked_keys
    leaked = LeakedKeys(product.database, manager, (PEPPER, earlier), service._mails)

    await leaked.report(live.secret, "203.0.113.9", now)
    await leaked.report(ended.secret, "203.0.113.9", Micros(now + MINUTE))

    assert (await manager.get(owner.tenant, live.record.key_id)).is_revoked
    assert not (await manager.get(owner.tenant, ended.record.key_id)).is_revoked


async def test_key_is_revoked_also_when_no_mail_can_be_sent(
    product: WholeProduct, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await made(owner)

    async def unavailable(_messages: Any) -> None:
        raise QueueUnavailable("no queue")

    monkeypatch.setattr(product.mails, "send", unavailable)
    with written_logs() as logs:
        reply = await report(product, key["key"])

    assert (reply.status, await status_of(owner, key)) == (200, "revoked")
    assert key["id"] in logs.text
    assert key["key"] not in logs.text


def test_documented_pattern_finds_keys_and_little_else() -> None:
    text = (ROOT / "docs" / "keys.md").read_text()
    (pattern,) = re.findall(r"^(\\b.*cm_.*)$", text, re.MULTILINE)

    for mode in Mode:
        secret = new_secret(mode)
        assert re.findall(pattern, f"KEY='{secret}' # ours") == [secret]
        for other in (secret[:-1], f"{secret}0", f"x{secret}", secret.upper(), secret.replace("cm_", "sk_")):
            assert not re.search(pattern, f"KEY={other}")
