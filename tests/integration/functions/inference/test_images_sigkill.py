"""SIGKILL at any point of a call for images: the wallet equals the entries, and the history shows what is there.

One gateway process has a call stand at each point, and is killed once.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.clock import system_clock
from callmissed.money import CREDIT
from callmissed_ai.services.image_history.history import ImageHistory
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, Step
from tests.support.inference.behaviours import reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.gateway_process import gateway_process, listens
from tests.support.inference.image_objects import MemoryObjects, images_reply, png
from tests.support.inference.object_server import ObjectServer
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import draw

PRICE = 5 * CREDIT // 2
BUCKET = "images-of-tests"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a call for one image in a `form` stands: at a request to DynamoDB, or at S3.

    `object_stored` says whether S3 has the bytes, and `late` that DynamoDB gets the request after the first sweep.
    """

    form: str
    charged: int
    shown: int
    fault: Fault | None = None
    step: Step = Step.OTHER
    object_stored: bool = True
    late: bool = False


POINTS = {
    "the bytes behind a URL are on their way": Point("url", 0, 0, object_stored=False),
    "the bytes behind a URL are stored": Point("url", 0, 0),
    "the entry is on its way": Point("url", PRICE, 0, Fault.STALL, Step.ENTRY),
    "the entry comes after the sweep": Point("url", 0, 0, Fault.STALL, Step.ENTRY, late=True),
    "the entry is done": Point("b64_json", PRICE, 0, Fault.WITHHOLD, Step.ENTRY, object_stored=False),
    "the entry is done, and the bytes are on their way": Point("b64_json", PRICE, 0, object_stored=False),
    "the bytes are stored": Point("b64_json", PRICE, 0),
    "the record is on its way": Point("b64_json", PRICE, 1, Fault.STALL, Step.KEEP_IMAGE),
    "the record is done": Point("b64_json", PRICE, 1, Fault.WITHHOLD, Step.KEEP_IMAGE),
    "the wallet's update is on its way": Point("b64_json", PRICE, 1, Fault.STALL, Step.APPLY),
    "the wallet's update is done": Point("url", PRICE, 1, Fault.WITHHOLD, Step.APPLY),
}
BEFORE_THE_REPLY = "the upstream has not answered"


@dataclass(slots=True)
class DeadCalls:
    """The accounts of calls that were killed, by their points, with what S3 has."""

    accounts: Accounts
    objects: ObjectServer
    by_point: dict[str, Account]

    async def shown(self, account: Account) -> list[str]:
        """Names of the objects that the history of the account's key leads to."""
        database = Database(self.accounts.dynamodb, self.accounts.stage)
        page = await ImageHistory(database, MemoryObjects(), system_clock).page(account.key_id, 10, None)
        return [record.object for record, _ in page.records]

    def stored(self, account: Account) -> list[str]:
        """Names of the objects of the account."""
        names = [name.removeprefix(f"{BUCKET}/") for name in self.objects.objects]
        return [name for name in names if name.startswith(f"{account.tenant}/")]


@pytest_asyncio.fixture(scope="module")
async def dead(
    lab: FakeUpstream,
    accounts: Accounts,
    store: StageTables,
    providers_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[DeadCalls]:
    """The calls of a gateway that was killed, swept before and after what was late arrived."""
    lab.forget()
    log = tmp_path_factory.mktemp("sigkill") / "gateway.log"
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(ObjectServer().serving())
        proxy = stack.enter_context(DynamoProxy(store.endpoint).serving())
        variables = {"CALLMISSED_AWS_ENDPOINT": objects.url, "CALLMISSED_IMAGES_BUCKET": BUCKET}
        variables |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        pid, url = stack.enter_context(gateway_process(proxy, store, providers_file, log, **variables))
        await eventually(listens, url)
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60))
        dead = DeadCalls(accounts, objects, {name: await accounts.account() for name in [BEFORE_THE_REPLY, *POINTS]})
        calls = [await _stop_before_the_reply(client, dead, lab)]
        calls += await _stop_at_points(client, dead, proxy)
        os.kill(pid, signal.SIGKILL)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, httpx2.HTTPError) for outcome in outcomes)
        await _sweep_between(dead, proxy)
        yield dead


async def _stop_before_the_reply(
    client: httpx2.AsyncClient, dead: DeadCalls, lab: FakeUpstream
) -> "asyncio.Task[httpx2.Response]":
    gate = Gate()
    lab.will(reply(images_reply(png()), gate=gate))
    call = asyncio.create_task(draw(client, dead.by_point[BEFORE_THE_REPLY]))
    await gate.reached()
    return call


async def _stop_at_points(
    client: httpx2.AsyncClient, dead: DeadCalls, proxy: DynamoProxy
) -> list["asyncio.Task[httpx2.Response]"]:
    stands = [_stand(dead, proxy, name, point) for name, point in POINTS.items()]
    calls = [
        asyncio.create_task(draw(client, dead.by_point[name], response_format=point.form))
        for name, point in POINTS.items()
    ]
    await until(lambda: all(stands_there() for stands_there in stands))
    for name, point in POINTS.items():
        if point.step is Step.APPLY:  # the record is written beside the wallet's update
            await eventually(dead.shown, dead.by_point[name])
    return calls


def _stand(dead: DeadCalls, proxy: DynamoProxy, name: str, point: Point) -> Callable[[], bool]:
    """Let the call of `point` stand there; says whether it does."""
    account = dead.by_point[name]
    if point.fault is None:
        return dead.objects.stop(f"/{account.tenant}/", stored=point.object_stored).is_set
    return proxy.plan(point.fault, point.step, about=account.tenant).met.is_set


async def _sweep_between(dead: DeadCalls, proxy: DynamoProxy) -> None:
    for name, point in POINTS.items():
        if not point.late:
            proxy.release(dead.by_point[name].tenant)
    await proxy.idle(sum(point.late for point in POINTS.values()))
    await dead.accounts.sweep()
    await proxy.heal()
    await dead.accounts.sweep()


@pytest.mark.parametrize("name", POINTS)
async def test_killed_when(dead: DeadCalls, name: str) -> None:
    account, point = dead.by_point[name], POINTS[name]

    assert await dead.accounts.assert_balanced(account) == point.charged
    stored, shown = dead.stored(account), await dead.shown(account)
    assert len(stored) == point.object_stored
    assert len(shown) == point.shown
    assert set(shown) <= set(stored), "the history leads to nothing that is not there"


async def test_killed_before_the_reply(dead: DeadCalls) -> None:
    account = dead.by_point[BEFORE_THE_REPLY]

    assert await dead.accounts.assert_balanced(account) == 0
    assert (await dead.accounts.entry(account.tenant))["type"] == "void"
    assert (dead.stored(account), await dead.shown(account)) == ([], [])
