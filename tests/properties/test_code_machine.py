"""Codes by mail under every fault: the latest one of a purpose and address, for ten minutes, five guesses and one use.

Whoever guesses at the same time, whatever arrives late, and however far clocks are off. Also: at most five mails an
hour for one purpose and address, invitations of all tenants together. How to repeat a run: conftest.py.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.platform.tables import AUDIT, CHALLENGES
from callmissed.sealing import Sealer
from callmissed.tenants.users import User, find_address, get_user, remove_user
from functions.auth.challenges.codes import CodePurpose
from functions.auth.composition import AuthComposition
from functions.auth.mail.jobs import NOTHING, parse
from functions.auth.sign_in import service
from functions.auth.sign_in.completion import Outcome
from functions.auth.sign_in.service import SignIn
from functions.auth.sign_in_composition import SignInComposition
from functions.auth.team.invitation import Invitation
from functions.auth.team.service import Team
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, Fault, FaultyDynamoDB, tables_in
from tests.support.people import BROWSER, new_owner_with_password
from tests.support.sign_in import new_address, settings_of
from tests.support.teams import Mails, acting
from tests.support.webhooks.callbacks import SEALING

START = 1_795_599_000 * SECOND
LIFETIME, HOUR, SKEW = 600 * SECOND, 3600 * SECOND, 5 * SECOND
MAX_GUESSES = MAX_MAILS = 5
PURPOSES = (CodePurpose.LOGIN, CodePurpose.RESET)
SKEWS = st.integers(-5, 5).map(lambda seconds: seconds * SECOND)
WAITS = st.sampled_from([0, 0, 0, 0, 1, 30, 590, 604, 3600])
SLOTS = st.sampled_from([0, 0, 0, 0, 1, 2, 3])
CODES = st.sampled_from([0, 0, 0, 1, 1, 2, None, None])
"""Which code somebody enters, counted from the latest one; None for digits that were in no mail."""
T = TypeVar("T")
Faults = Sequence[Fault | None]
LATER = st.builds(lambda well, faults: (*[None] * well, *faults), st.integers(0, 6), FAULTS)
"""Faults of any of the requests of an answer, most of which only read."""


@dataclass
class MailedCode:
    """A code of a mail. `refused` are the guesses since that were answered, and so have counted."""

    text: str
    issued: Micros
    is_used: bool = False
    is_certain: bool = True
    refused: int = 0


@dataclass
class Slot:
    """A purpose and a person, with the codes that were mailed, latest last."""

    purpose: CodePurpose
    user: User
    codes: list[MailedCode] = field(default_factory=list[MailedCode])
    entered: set[str] = field(default_factory=set[str])

    def blur(self) -> None:
        """Nobody knows any more whether the latest code is good."""
        for code in self.codes[-1:]:
            code.is_certain = False


class CodeMachine(RuleBasedStateMachine):
    """Two people with codes for two purposes, and two tenants that invite a third."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: StageTables, dynamodb: FaultyDynamoDB) -> None:
        super().__init__()
        self.loop, self.dynamodb, self.clock = loop, dynamodb, START
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.tables = Database(self.plain, store.stage)
        self.challenges = self.tables.name(CHALLENGES)
        self.queue = Mails()
        self.sign_in, self.team = services(dynamodb, store, self.queue)
        self.mail_moments: dict[tuple[str, str], list[Micros]] = {}

    @initialize()
    def register(self) -> None:
        owners = [self.run(new_owner_with_password(self.tables, Micros(START))) for _ in range(2)]
        self.slots = [Slot(purpose, owner) for owner in owners for purpose in PURPOSES]
        self.guest = new_address()
        self.issue(0, 0, 0, ())

    @rule(slot=SLOTS, wait=WAITS, skew=SKEWS, faults=LATER)
    def issue(self, slot: int, wait: int, skew: int, faults: Faults) -> None:
        """Somebody asks for a code."""
        self.clock += wait * SECOND
        self.faulty(self.issuing(self.slots[slot], Micros(self.clock + skew)), faults)

    @rule(slot=SLOTS, which=CODES, wait=WAITS, skew=SKEWS, faults=LATER)
    def guess(self, slot: int, which: int | None, wait: int, skew: int, faults: Faults) -> None:
        """Somebody enters a code."""
        self.clock += wait * SECOND
        guessed = self.guessing(self.slots[slot], which, Micros(self.clock + skew), certain=not faults)
        event(f"guess: {self.faulty(guessed, faults)}")

    @rule(slot=SLOTS, number=st.sampled_from([1, 4, 5, 6]), is_new=st.booleans(), skew=SKEWS)
    def rush(self, slot: int, number: int, is_new: bool, skew: int) -> None:
        """Others enter wrong codes just before the right one is counted."""
        if is_new:
            self.issue(slot, 3600, 0, ())
        now = Micros(self.clock + skew)

        async def others() -> None:
            for _ in range(number):
                await self.guessing(self.slots[slot], None, now)

        self.interleaved(self.guessing(self.slots[slot], 0, now), others, "UpdateItem", "TransactWriteItems")

    @rule(slot=SLOTS, again=st.booleans(), skew=SKEWS)
    def meanwhile(self, slot: int, again: bool, skew: int) -> None:
        """A code that was right is used, or replaced, before whoever entered it is signed in."""
        one, now = self.slots[slot], Micros(self.clock + skew)
        other = partial(self.guessing, one, 0, now) if again else partial(self.issuing, one, now)
        self.interleaved(self.guessing(one, 0, now), other, "TransactWriteItems")

    @rule(slot=SLOTS, well=st.integers(3, 5), uses=st.booleans())
    def arrive_twice(self, slot: int, well: int, uses: bool) -> None:
        """A code's first write, which was repeated, arrives when the code has been used, or guessed five times."""
        self.issue(slot, 3600, 0, [*[None] * well, Fault.DELAY])
        for which in [0] if uses else [None] * MAX_GUESSES:
            self.guess(slot, which, 0, 0, ())
        self.arrive_late(len(self.dynamodb.late) - 1)
        self.guess(slot, 0, 0, 0, ())

    @rule(tenant=st.integers(0, 1), wait=WAITS, skew=SKEWS, faults=LATER)
    def invite(self, tenant: int, wait: int, skew: int, faults: Faults) -> None:
        """A tenant invites the guest, and thinks better of it."""
        self.clock += wait * SECOND
        owner, invitation = self.slots[2 * tenant].user, Invitation(self.guest, "Grace")
        now, operation = Micros(self.clock + skew), Operation.new()
        self.faulty(self.team.invite(owner.tenant, invitation, acting(owner.user_id), now, operation), faults)
        self.run(self.remove_guest())
        self.take_mails(now)

    @rule(slot=SLOTS, skews=st.lists(SKEWS, min_size=6, max_size=6), invites=st.booleans())
    def ask_often(self, slot: int, skews: list[int], invites: bool) -> None:
        """Somebody asks for more mails than an hour has."""
        for number, skew in enumerate(skews):
            if invites:
                self.invite(number % 2, 0, skew, ())
            else:
                self.issue(slot, 0, skew, ())

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.dynamodb.late:
            self.run(self.dynamodb.deliver_late(which))
            for slot in self.slots:
                slot.blur()

    def teardown(self) -> None:
        """Whatever is under way arrives; then nobody was signed in more often than there were codes."""
        try:
            while self.dynamodb.late:
                self.run(self.dynamodb.deliver_late(0))
            for slot in getattr(self, "slots", ()):
                assert self.run(self.sessions_begun(slot)) <= len(slot.entered)
        finally:
            self.dynamodb.forget()
            self.dynamodb.forget_actions()
            self.run(self.plain.close())

    async def issuing(self, slot: Slot, now: Micros) -> str:
        """A code that is mailed by a process whose clock says `now`."""
        slot.blur()
        await self.sign_in.send_code(slot.user.email, slot.purpose, now)
        codes = self.take_mails(now)
        slot.codes += [MailedCode(code, now) for code in codes]
        if not codes and slot.codes:
            slot.codes[-1].is_certain = True  # the quota is used up: no code was made
        return f"{len(codes)} mails"

    async def guessing(self, slot: Slot, which: int | None, now: Micros, *, certain: bool = True) -> str:
        """What comes of a code that is entered at a process whose clock says `now`."""
        latest = slot.codes[-1] if slot.codes else None
        code = slot.codes[-1 - which] if which is not None and which < len(slot.codes) else None
        if code:
            slot.entered.add(code.text)
        try:
            await self.enter(slot, code.text if code else self.wrong(slot), now)
        except ApiError as refused:
            if refused.status == 400:
                wrongly = certain and code is not None and code is slot.codes[-1] and is_good(code, now)
                assert not wrongly, "a good code was refused"
                count_guess(latest, now)
            return f"refused {refused.status}"
        except (Unavailable, Crash):
            slot.blur()
            raise
        assert code, "a code that was in no mail signed somebody in"
        assert code is slot.codes[-1], "a code was good after a later one"
        assert not code.is_used, "a code was good twice"
        assert code.issued + LIFETIME > now, "a code was good after ten minutes"
        assert code.refused < MAX_GUESSES, "a code was good after five guesses"
        code.is_used = True
        return "signed in"

    async def enter(self, slot: Slot, text: str, now: Micros) -> Outcome:
        if slot.purpose is CodePurpose.LOGIN:
            return await self.sign_in.login_by_code(slot.user.email, text, BROWSER, now)
        return await self.sign_in.reset_password(slot.user.email, text, "another password", BROWSER, now)

    def wrong(self, slot: Slot) -> str:
        mailed = {code.text for code in slot.codes}
        return next(text for text in map("{:06}".format, range(len(mailed) + 1)) if text not in mailed)

    def take_mails(self, now: Micros) -> list[str]:
        """Codes of the mails that were queued since, which count in their hour."""
        jobs = [parse(body, Sealer((bytes.fromhex(SEALING),))) for body in self.queue.sent]
        self.queue.sent.clear()
        for job in jobs:
            if job.name not in (NOTHING, "password_changed"):
                self.count_mail((job.name, job.to), now)
        return [job.parameters["code"] for job in jobs if job.name in PURPOSES]

    def count_mail(self, subject: tuple[str, str], now: Micros) -> None:
        moments = self.mail_moments.setdefault(subject, [])
        moments.append(now)
        within = [moment for moment in moments if abs(moment - now) < HOUR - 2 * SKEW]
        assert len(within) <= MAX_MAILS, f"{len(within)} mails of {subject[0]} in an hour"

    async def remove_guest(self) -> None:
        address = await find_address(self.tables, self.guest, Micros(self.clock))
        if address.user_id:
            guest = await get_user(self.tables, address.tenant, address.user_id)
            await self.tables.transact(await remove_user(self.tables, guest))

    async def sessions_begun(self, slot: Slot) -> int:
        method = "code" if slot.purpose is CodePurpose.LOGIN else "reset"
        rows = self.tables.query(AUDIT, slot.user.tenant, where={"action": "session.begin"}, consistent=True)
        return len([row async for row in rows if row["metadata"]["method"] == method])

    def interleaved(
        self, work: Coroutine[Any, Any, str], other: Callable[[], Awaitable[object]], *operations: str
    ) -> None:
        """Do the work; `other` happens before the first of these requests of it that writes to codes."""
        waiting = [other]

        async def act() -> None:
            if waiting:
                await waiting.pop()()

        for operation in operations:
            self.dynamodb.before(operation, act, matching=lambda request: self.challenges in tables_in(request))
        event(f"interleaved: {self.run(work)}")
        self.dynamodb.forget_actions()

    def faulty(self, work: Coroutine[Any, Any, T], faults: Faults) -> T | str:
        self.dynamodb.faults.extend(faults)
        try:
            with suppress(ApiError, Unavailable, Crash):
                return self.run(work)
            return "no answer"
        finally:
            self.dynamodb.faults.clear()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def count_guess(code: MailedCode | None, now: Micros) -> None:
    """Count a guess that was refused while `code` was the latest one, unless it came after the ten minutes."""
    if code and code.issued + LIFETIME > now:
        code.refused += 1


def is_good(code: MailedCode, now: Micros) -> bool:
    """Whether the latest code must be accepted: nothing is unknown about it."""
    is_alive = code.refused < MAX_GUESSES and code.issued + LIFETIME > now
    return is_alive and code.is_certain and not code.is_used


def services(dynamodb: FaultyDynamoDB, store: StageTables, queue: Mails) -> tuple[SignIn, Team]:
    """Sign-in and team, as a process has them."""
    base = AuthComposition(settings_of(store))
    vars(base).update(database=Database(dynamodb, store.stage), mails=queue)
    parts = SignInComposition(base)
    return parts.sign_in, Team(base.database, parts.windows, parts.quota, parts.mails)


def test_code_is_good_once_for_ten_minutes_and_five_guesses_until_the_next(
    loop: asyncio.AbstractEventLoop,
    module_tables: StageTables,
    dynamodb: FaultyDynamoDB,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "hash_password", str)  # 20 ms that change nothing here
    machine: Any = partial(CodeMachine, loop, module_tables, dynamodb)
    few = settings(max_examples=max(10, settings().max_examples // 8), stateful_step_count=24)
    run_state_machine_as_test(machine, settings=few)
