"""The authorizer as Lambda runs it: what it raises, what it keeps from one invocation to the next, what it logs."""

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, RequestRefused, Unavailable
from callmissed.aws.runtime import InvocationFailedError, run
from callmissed.clock import system_clock
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode, new_secret
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import create_tenant
from functions.auth.composition import composed
from functions.auth.handlers import authorizer
from local.aws.tables import StageTables
from tests.support.authorizer_requests import request
from tests.support.logs import written_logs

PEPPER = b"tests-pepper-of-some-length-....."
HOOKS = frozenset({"webhooks:write"})
MakeKey = Callable[..., NewKey]


@pytest.fixture
def make_key(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeKey]:
    """Makes keys of the stage that the handler finds in its environment."""
    monkeypatch.setenv("CALLMISSED_STAGE", tables.stage)
    monkeypatch.setenv("CALLMISSED_DYNAMODB_ENDPOINT", tables.endpoint)
    monkeypatch.setenv("CALLMISSED_PEPPERS", PEPPER.hex())

    async def make(policy: KeyPolicy) -> NewKey:
        dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
        try:
            tenant = await create_tenant(Database(dynamodb, tables.stage), name="t", plan=Plan.PRO, now=system_clock())
            manager = KeyManager(Database(dynamodb, tables.stage), PEPPER)
            return await manager.create(tenant.tenant_id, name="t", mode=Mode.LIVE, policy=policy, now=system_clock())
        finally:
            await dynamodb.close()

    yield lambda **policy: asyncio.run(make(KeyPolicy(**policy)))
    with suppress(ValueError):
        run(composed().database.close())
    composed.cache_clear()


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def unwell(*_: Any) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(DynamoDB, "send", unwell)


def test_the_parts_outlive_an_invocation(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(rpm=600, scopes=HOOKS)
    first = authorizer.handler(request(key.secret), None)
    monkeypatch.delenv("CALLMISSED_PEPPERS")  # nobody looks again

    again = [authorizer.handler(request(key.secret), None) for _ in range(5)]

    assert again == [first] * 5
    assert first["context"]["key_id"] == key.record.key_id


@pytest.mark.parametrize("shown", [None, "garbage", new_secret(Mode.LIVE)], ids=["none", "garbage", "unknown"])
def test_api_gateway_makes_401_of_one_word(make_key: MakeKey, shown: str | None) -> None:
    make_key()

    with pytest.raises(Exception, match=r"^Unauthorized$") as refused:
        authorizer.handler(request(shown), None)

    assert type(refused.value) is Exception
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "error",
    [Unavailable("500", indeterminate=True), Unavailable("throttled", indeterminate=False), RequestRefused("no table")],
)
def test_a_database_that_does_not_answer_is_not_an_answer(
    make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    key = make_key(scopes=HOOKS)
    failing(monkeypatch, error)

    with pytest.raises(InvocationFailedError) as failed:
        authorizer.handler(request(key.secret), None)

    assert "Unauthorized" not in str(failed.value)


def test_without_a_pepper_nothing_is_said(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(scopes=HOOKS)
    monkeypatch.delenv("CALLMISSED_PEPPERS")

    with written_logs() as logs, pytest.raises(InvocationFailedError):
        authorizer.handler(request(key.secret), None)

    assert "at least one pepper" in logs.text


def test_secrets_are_neither_printed_nor_raised(
    make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
    key, gone = make_key(scopes=HOOKS, rpm=1), new_secret(Mode.LIVE)
    texts = [str(authorizer.handler(request(key.secret), None)) for _ in range(3)]
    for secret in (gone, gone[:-1], key.secret):
        if secret == key.secret:
            failing(monkeypatch, Unavailable("no answer", indeterminate=True))
            composed().keys._admission._limited.clear()
        with pytest.raises(Exception) as failed:
            authorizer.handler(request(secret), None)
        texts.append("".join(traceback.format_exception(failed.value)))

    everything = "".join([*texts, *capfd.readouterr()])

    for secret in (key.secret, gone[:-1], PEPPER.hex()):
        assert secret not in everything
