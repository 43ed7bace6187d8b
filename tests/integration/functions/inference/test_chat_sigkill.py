"""SIGKILL at any point of a call: after the sweep, the wallet equals the entries.

One gateway process has a call stand at each point, and is killed once.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.keys.secret import key_hash
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, PlannedFault, Step
from tests.support.inference.behaviours import DONE, HEARD, WAV, completion, content_events, reply, streams
from tests.support.inference.gateway import PEPPER, Account, Accounts
from tests.support.inference.gateway_process import gateway_process, listens
from tests.support.inference.upstream import Behaviour, FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import SPOKEN, chat, speak, transcribe

REPORTED = 11 * 50 + 7 * 150
HEARD_COST = 2_000 * 10
SPOKEN_COST = len(SPOKEN["input"]) * 3_000
STREAMED = partial(chat, stream=True)
DELTA = b'data: {"type":"transcript.text.delta","delta":"Hello"}\n\n'
BilledCall = Callable[[httpx2.AsyncClient, Account], Awaitable[httpx2.Response]]
BUDGET = 10**10


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was on its way; one that stalls reaches DynamoDB after the first sweep if `late`.

    `key_lacks`: until the month turns the key lacks what it was charged above the cost. No hold names the charge
    yet, or an entry is there, and whether its process gave the key its share is nowhere written.
    """

    fault: Fault
    step: Step
    charged: int
    call: BilledCall = chat
    late: bool = False
    key_lacks: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """A call whose upstream answers as `reply_at` says, and stops at its gate."""

    call: BilledCall
    reply_at: Callable[[Gate], Behaviour]


@dataclass(slots=True)
class KilledCall:
    """A call that was killed, and how many holds of it were found then."""

    account: Account
    held: int = 0


WRITES = {
    "admission is done": Write(Fault.WITHHOLD, Step.ADMIT, 0, key_lacks=True),
    "an admitted key is charged": Write(Fault.WITHHOLD, Step.CHARGE, 0, call=transcribe, key_lacks=True),
    "the hold is on its way": Write(Fault.STALL, Step.HOLD, 0),
    "the hold of a transcription is done": Write(Fault.WITHHOLD, Step.HOLD, 0, call=transcribe),
    "the hold of speech is done": Write(Fault.WITHHOLD, Step.HOLD, 0, call=speak),
    "the hold comes after the sweep": Write(Fault.STALL, Step.HOLD, 0, late=True),
    "the hold is done": Write(Fault.WITHHOLD, Step.HOLD, 0),
    "the entry is on its way": Write(Fault.STALL, Step.ENTRY, REPORTED, key_lacks=True),
    "the entry comes after the sweep": Write(Fault.STALL, Step.ENTRY, 0, call=STREAMED, late=True),
    "the entry is done": Write(Fault.WITHHOLD, Step.ENTRY, REPORTED, call=STREAMED, key_lacks=True),
    "the wallet's update is on its way": Write(Fault.STALL, Step.APPLY, REPORTED),
    "the wallet's update comes after the sweep": Write(Fault.STALL, Step.APPLY, REPORTED, late=True),
    "the wallet's update is done": Write(Fault.WITHHOLD, Step.APPLY, REPORTED, call=STREAMED),
    "the entry of a transcription is done": Write(
        Fault.WITHHOLD, Step.ENTRY, HEARD_COST, call=transcribe, key_lacks=True
    ),
    "the entry of speech is done": Write(Fault.WITHHOLD, Step.ENTRY, SPOKEN_COST, call=speak),
}
MOMENTS = {
    "before the upstream's first byte": Moment(chat, lambda gate: reply(completion(), gate=gate)),
    "before the stream's first byte": Moment(STREAMED, lambda gate: streams([gate, DONE])),
    "in the midst of the stream": Moment(STREAMED, lambda gate: streams([*content_events(), gate, DONE])),
    "while audio is heard": Moment(transcribe, lambda gate: reply(HEARD, gate=gate)),
    "in the midst of a streamed transcription": Moment(
        partial(transcribe, model="lab-transcribe", stream="true"), lambda gate: streams([DELTA, gate, DONE])
    ),
    "before the first byte of speech": Moment(speak, lambda gate: streams([gate, WAV])),
    "in the midst of speech": Moment(speak, lambda gate: streams([WAV[:1_000], gate, WAV[1_000:]])),
}
_OF_KEYS = (Step.ADMIT, Step.CHARGE)
"""Writes that know the key and not its tenant."""


@dataclass(slots=True)
class StoppedCalls:
    """The gateway as a process, with calls that stand at their points."""

    client: httpx2.AsyncClient
    proxy: DynamoProxy
    accounts: Accounts
    upstream: FakeUpstream
    dead: dict[str, KilledCall] = field(default_factory=dict[str, KilledCall])
    calls: list["asyncio.Task[httpx2.Response]"] = field(default_factory=list["asyncio.Task[httpx2.Response]"])

    async def stop_in_writes(self) -> None:
        """Begin a call for each write at once, before any of them loses patience, and wait until all stand."""
        planned_faults: list[PlannedFault] = []
        for name, write in WRITES.items():
            account = await self._account(name)
            about = key_hash(PEPPER, account.secret) if write.step in _OF_KEYS else account.tenant
            planned_faults.append(self.proxy.plan(write.fault, write.step, about=about))
        for name, write in WRITES.items():
            self._begin(self.dead[name].account, write.call)
        await until(lambda: all(planned.met.is_set() for planned in planned_faults))
        for name, write in WRITES.items():
            if write.step is Step.APPLY:  # the refund of the key is written beside the wallet's update
                await eventually(self._is_refunded, self.dead[name].account)

    async def _is_refunded(self, account: Account) -> bool:
        return (await self.accounts.key_item(account.secret))["kb"] == BUDGET - REPORTED

    async def stop_in_upstream(self, name: str, moment: Moment) -> None:
        """Begin a call and wait until its upstream stands at a gate."""
        gate = Gate()
        self.upstream.will(moment.reply_at(gate))
        self._begin(await self._account(name), moment.call)
        await gate.reached()

    async def _account(self, name: str) -> Account:
        account = await self.accounts.account(budget=BUDGET)
        self.dead[name] = KilledCall(account)
        return account

    def _begin(self, account: Account, call: BilledCall) -> None:
        self.calls.append(asyncio.ensure_future(call(self.client, account)))


@pytest_asyncio.fixture(scope="module")
async def dead(
    lab: FakeUpstream,
    accounts: Accounts,
    store: StageTables,
    providers_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, KilledCall]]:
    """The calls of a gateway that was killed, swept before and after what was late arrived."""
    lab.forget()
    log = tmp_path_factory.mktemp("sigkill") / "gateway.log"
    async with AsyncExitStack() as stack:
        proxy = stack.enter_context(DynamoProxy(store.endpoint).serving())
        pid, url = stack.enter_context(gateway_process(proxy, store, providers_file, log))
        await eventually(listens, url)
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60))
        stopped = StoppedCalls(client, proxy, accounts, lab)
        for name, moment in MOMENTS.items():
            await stopped.stop_in_upstream(name, moment)
        await stopped.stop_in_writes()
        os.kill(pid, signal.SIGKILL)
        outcomes = await asyncio.gather(*stopped.calls, return_exceptions=True)
        assert all(isinstance(outcome, httpx2.HTTPError) for outcome in outcomes)
        await _sweep_between(stopped)
        yield stopped.dead


async def _sweep_between(stopped: StoppedCalls) -> None:
    for name, write in WRITES.items():
        if not write.late:
            account = stopped.dead[name].account
            stopped.proxy.release(key_hash(PEPPER, account.secret))
            stopped.proxy.release(account.tenant)
    await stopped.proxy.idle(sum(write.late for write in WRITES.values()))
    for dead in stopped.dead.values():
        dead.held = len((await stopped.accounts.wallet(dead.account.tenant))["h"])
    await stopped.accounts.sweep()
    await stopped.proxy.heal()
    await stopped.accounts.sweep()


async def assert_in_line(accounts: Accounts, dead: KilledCall, charged: int, *, key_lacks: bool = False) -> None:
    """The wallet says what the entries say, nothing is held, and the key has what the call left of its budget."""
    assert await accounts.assert_balanced(dead.account) == charged
    assert len(await accounts.entries(dead.account.tenant)) <= 1
    left = (await accounts.key_item(dead.account.secret))["kb"]
    assert left < BUDGET - charged if key_lacks else left == BUDGET - charged


@pytest.mark.parametrize("name", WRITES)
async def test_killed_when(dead: dict[str, KilledCall], accounts: Accounts, name: str) -> None:
    await assert_in_line(accounts, dead[name], WRITES[name].charged, key_lacks=WRITES[name].key_lacks)


@pytest.mark.parametrize("name", MOMENTS)
async def test_killed(dead: dict[str, KilledCall], accounts: Accounts, name: str) -> None:
    assert dead[name].held == 1
    await assert_in_line(accounts, dead[name], 0)
    assert (await accounts.entry(dead[name].account.tenant))["type"] == "void"


async def test_an_entry_that_comes_after_the_sweep_changes_nothing(
    dead: dict[str, KilledCall], accounts: Accounts
) -> None:
    late = dead["the entry comes after the sweep"]

    assert late.held == 1
    assert (await accounts.entry(late.account.tenant))["type"] == "void"
