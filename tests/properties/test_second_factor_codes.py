"""Codes of second factors: no code is accepted twice, whatever clocks, threads and lost answers do."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyotp.totp import TOTP

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.platform.tables import AUDIT, TENANTS
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.sessions.tokens import AccessTokens
from callmissed.tenants.users import User, update_user
from functions.auth.challenges.challenges import ChallengePurpose, Challenges
from functions.auth.mail.outlet import MailOutlet
from functions.auth.passkeys.challenge import SignInChallenges
from functions.auth.passkeys.relying_party import RelyingParty
from functions.auth.sessions.refresh_tokens import RefreshTokens
from functions.auth.sessions.service import Sessions
from functions.auth.sign_in.completion import SignInCompletion
from functions.auth.two_factor.codes import FactorCodes
from functions.auth.two_factor.records import Factor, factor_key, factor_of, put_factor
from functions.auth.two_factor.verification import CodeVerification, SecondStep
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, FaultyDynamoDB
from tests.support.people import new_owner_with_password

START = Micros(1_795_599_000 * SECOND)
BROWSER = Actor(ActorKind.PERSON, "", "203.0.113.7", "a browser")
PEPPER = b"a pepper of some length"
SEALER = Sealer((b"a sealing key of thirty-two bytes",))
CODES = FactorCodes(SEALER)
FEW = settings(max_examples=max(6, settings().max_examples // 10))
STEPS = range(-1, 3)
"""Steps whose codes are tried, from START; the next ones are backup codes."""

PHASES = st.integers(0, 29)
OFFSETS = st.integers(-5, 5)
TRIES = st.lists(st.integers(0, 6), min_size=1, max_size=4)
"""Which codes one process tries, one after the other."""


class _NoQueue:
    async def send(self, messages: Sequence[object]) -> None:
        pass


class FactorProcess:
    """A process that completes sign-ins, on connections of its own."""

    def __init__(self, dynamodb: DynamoDB, stage: str) -> None:
        self.database = Database(dynamodb, stage)
        access, mails = AccessTokens((PEPPER,), stage), MailOutlet(_NoQueue(), SEALER)
        sessions = Sessions(self.database, access, RefreshTokens((PEPPER,)), mails)
        self.challenges = Challenges(self.database)
        second_factors = SignInChallenges(self.database, self.challenges, RelyingParty("", ""))
        completion = SignInCompletion(self.database, sessions, second_factors)
        windows = SlidingWindows(self.database)
        step = SecondStep(self.database, self.challenges, completion, windows)
        self.verification = CodeVerification(step, CODES, windows)

    async def person(self, now: Micros) -> tuple[User, list[str]]:
        """Somebody with a second factor, and codes: those of the app in STEPS, then three backup codes."""
        user = await new_owner_with_password(self.database, now)
        pending = CODES.with_setup(Factor(user.tenant, user.user_id), now)
        enabled = replace(pending, secret=pending.pending, enabled_at=iso(now), pending="", pending_until=Micros(0))
        factor, backup_codes = CODES.with_backup_codes(enabled)
        await self.database.transact([put_factor(factor), update_user(user, now, second_factor=True)])
        app = TOTP(CODES.pending_secret(pending))
        return user, [*(app.at(START // SECOND + 30 * step) for step in STEPS), *backup_codes[:3]]

    async def accepts(self, user: User, code: str, now: Micros) -> bool:
        """Whether the code completes a new sign-in. Raises Unavailable."""
        issued = await self.challenges.issue(ChallengePurpose.SIGN_IN, user, now)
        try:
            await self.verification.verify(issued.token, code, BROWSER, now)
        except ApiError:
            return False
        return True

    async def used(self, user: User) -> tuple[int, int]:
        """How many codes are used as stored, and how many sign-ins were completed."""
        item = await self.database.get(TENANTS, factor_key(user.tenant, user.user_id))
        factor = factor_of(user.tenant, user.user_id, item)
        begun = [row async for row in self.database.query(AUDIT, user.tenant, where={"action": "session.begin"})]
        return len(factor.used_steps) + 10 - len(factor.backup_codes), len(begun)


Run = Callable[[Any], Any]


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Run:
    return loop.run_until_complete


def at_once(endpoint: str, stage: str, coroutine: Callable[[FactorProcess, int], Any], number: int) -> list[Any]:
    """Results of `number` processes in threads that start together."""
    start, results = threading.Barrier(number), list[Any]()

    async def on_own_connections(index: int) -> Any:
        dynamodb = DynamoDB("us-east-1", endpoint, timeout_seconds=20)
        try:
            return await coroutine(FactorProcess(dynamodb, stage), index)
        finally:
            await dynamodb.close()

    def work(index: int) -> None:
        start.wait()
        results.append(asyncio.run(on_own_connections(index)))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == number
    return results


@given(phase=PHASES, tries=st.lists(st.tuples(OFFSETS, TRIES), min_size=3, max_size=3))
@FEW
def test_no_code_is_accepted_twice_by_processes_at_once(
    module_tables: StageTables,
    dynamodb: FaultyDynamoDB,
    run: Run,
    phase: int,
    tries: list[tuple[int, list[int]]],
) -> None:
    stage, now = module_tables.stage, Micros(START + phase * SECOND)
    process = FactorProcess(dynamodb, stage)
    user, codes = run(process.person(now))

    async def work(other: FactorProcess, index: int) -> Counter[int]:
        offset, chosen = tries[index]
        moment = Micros(now + offset * SECOND)
        return Counter([code for code in chosen if await other.accepts(user, codes[code], moment)])

    accepted: Counter[int] = sum(at_once(module_tables.endpoint, stage, work, len(tries)), Counter())

    assert all(times == 1 for times in accepted.values()), accepted
    assert run(process.used(user)) == (len(accepted), len(accepted))
    certain = {code for _, chosen in tries for code in chosen if code == 1 or code >= len(STEPS)}
    if 5 <= phase < 25:  # by all clocks the same step
        assert certain <= accepted.keys()


@given(
    phase=PHASES,
    tries=st.lists(st.tuples(OFFSETS, st.integers(0, 6), FAULTS, st.booleans()), min_size=1, max_size=8),
)
@FEW
def test_no_code_is_accepted_twice_when_requests_go_wrong(
    module_tables: StageTables,
    dynamodb: FaultyDynamoDB,
    run: Run,
    phase: int,
    tries: list[tuple[int, int, Any, bool]],
) -> None:
    now, process = Micros(START + phase * SECOND), FactorProcess(dynamodb, module_tables.stage)
    user, codes = run(process.person(now))
    accepted = Counter[int]()
    for offset, code, faults, is_late in tries:
        dynamodb.faults.extend(faults)
        with suppress(Unavailable, Crash):
            accepted[code] += run(process.accepts(user, codes[code], Micros(now + offset * SECOND)))
        dynamodb.faults.clear()
        if is_late and dynamodb.late:
            run(dynamodb.deliver_late(0))
    while dynamodb.late:
        run(dynamodb.deliver_late(0))

    used, begun = run(process.used(user))
    assert all(times <= 1 for times in accepted.values()), accepted
    assert used == begun <= len({code for _, code, _, _ in tries})
