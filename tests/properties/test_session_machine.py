"""The life of a person's sessions as a state machine: refreshes, replays, sign-outs, generations, clocks that are off.

A presented token gets the same pair whenever it gets one; one that was rotated longer ago than the grace period ends
all sessions; nothing that has ended opens anything again. How to repeat a run: conftest.py.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import jwt
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.plans.plans import Plan
from callmissed.platform.routes import Role
from callmissed.platform.tables import SESSIONS, TENANTS
from callmissed.sealing import Sealer
from callmissed.sessions.authenticate import PersonAuthenticator
from callmissed.sessions.records import Session, session_key, session_of
from callmissed.sessions.tokens import AccessTokens
from callmissed.tenants.tenants import Tenant, create_tenant_operations
from callmissed.tenants.users import User, put_user, update_user, user_key, user_of
from functions.auth.mail.outlet import MailOutlet
from functions.auth.sessions.refresh_tokens import RefreshToken, RefreshTokens
from functions.auth.sessions.service import GRACE, Sessions, TokenPair
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, Fault, FaultyDynamoDB
from tests.support.webhooks.subscribers import Queue

START = Micros(int(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC).timestamp()) * SECOND)
SKEWS = st.integers(-5, 5).map(lambda seconds: seconds * SECOND)
WAITS = st.sampled_from([0, 0, 1, 4, 9, 11, 16, 25, 3600, 6 * 24 * 3600])
CHOICES = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8, 13, 21])
PEPPER = b"a pepper of some length"
BROWSER = Actor(ActorKind.PERSON, "", "203.0.113.7", "a browser")
T = TypeVar("T")


class SessionMachine(RuleBasedStateMachine):
    """One person with several sessions; `tokens` are all refresh tokens that were ever handed out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: StageTables, dynamodb: FaultyDynamoDB) -> None:
        super().__init__()
        self.loop, self.dynamodb = loop, dynamodb
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.tables = Database(self.plain, store.stage)
        self.access, self.refresh_tokens = AccessTokens((PEPPER,), store.stage), RefreshTokens((PEPPER,))
        mails = MailOutlet(Queue(), Sealer((bytes(32),)))
        self.sessions = Sessions(Database(dynamodb, store.stage), self.access, self.refresh_tokens, mails)
        self.people = PersonAuthenticator(self.tables, self.access)
        self.clock = START
        self.tokens: list[RefreshToken] = []
        self.pairs: dict[str, TokenPair] = {}
        self.opened: dict[str, tuple[RefreshToken, int]] = {}

    @initialize()
    def register(self) -> None:
        tenant, user_id = new_id("tnt"), new_id("usr")
        person = User(tenant, user_id, f"{user_id}@example.com", "Ada", Role.OWNER, iso(START), iso(START))
        created = create_tenant_operations(Tenant(tenant, "Tests", Plan.FREE, iso(START), owner=user_id), START)
        self.run(self.tables.transact([*created, put_user(person)]))
        self.key = user_key(tenant, user_id)
        self.sign_in()

    @rule()
    def sign_in(self) -> None:
        pair, begun = self.sessions.begin(self.user(), BROWSER, self.clock)
        self.run(self.tables.transact([begun]))
        self.keep(pair)

    @rule(choice=CHOICES, wait=WAITS, skew=SKEWS, faults=FAULTS)
    def refresh(self, choice: int, wait: int, skew: int, faults: list[Fault | None]) -> None:
        self.clock = Micros(self.clock + wait * SECOND)
        token, now = self.tokens[-1 - choice % len(self.tokens)], Micros(self.clock + skew)
        before, generation = self.stored(token), self.user().generation
        self.dynamodb.faults.extend(faults)
        outcome = self.outcome(token, now)
        self.dynamodb.faults.clear()
        event(f"refresh: {outcome if isinstance(outcome, str) else 'pair'}")
        after = self.stored(token)
        if isinstance(outcome, TokenPair):
            assert before is not None
            assert before.generation == generation
            assert before.expires > now
            assert is_current(before, token) or is_recent(after, token, now)
            assert self.pairs.setdefault(token.text, outcome) == outcome
            self.keep(outcome)
        elif not faults and before is not None and before.generation == generation and before.expires > now:
            assert outcome == "Session has been revoked"
            assert not is_current(before, token)
            assert not is_recent(before, token, now)
            assert self.user().generation == generation + 1

    @rule(choice=CHOICES)
    def sign_out(self, choice: int) -> None:
        token = self.tokens[choice % len(self.tokens)]
        self.run(self.sessions.sign_out(token.text, BROWSER, self.clock))
        assert self.stored(token) is None

    @rule()
    def change_password(self) -> None:
        user = self.user()
        self.run(self.tables.transact([update_user(user, self.clock, generation=user.generation + 1)]))

    @rule(index=CHOICES)
    def deliver_late(self, index: int) -> None:
        if self.dynamodb.late:
            self.run(self.dynamodb.deliver_late(index))

    @invariant()
    def access_tokens_open_what_is_alive_and_nothing_else(self) -> None:
        if not self.tokens:
            return
        generation = self.user().generation
        for access, (session, issued_for) in list(self.opened.items())[-4:]:
            stored = self.stored(session)
            alive = stored is not None and issued_for == generation and stored.expires > self.clock
            valid = jwt.decode(access, options={"verify_signature": False})["exp"] * SECOND > self.clock
            assert self.opens(access) is (alive and valid)

    def opens(self, access: str) -> bool:
        try:
            self.run(self.people.authenticate(access, self.clock))
        except ApiError:
            return False
        return True

    def outcome(self, token: RefreshToken, now: Micros) -> TokenPair | str:
        try:
            return self.run(self.sessions.refresh(token.text, BROWSER, now))
        except ApiError as refused:
            return refused.message
        except (Unavailable, Crash):
            return "no answer"

    def keep(self, pair: TokenPair) -> None:
        token = self.refresh_tokens.parse(pair.refresh)
        assert token is not None
        if token not in self.tokens:
            self.tokens.append(token)
        self.opened[pair.access] = (token, self.user().generation)

    def stored(self, token: RefreshToken) -> Session | None:
        item = self.run(self.tables.get(SESSIONS, session_key(token.user_id, token.session_id)))
        return session_of(item) if item else None

    def user(self) -> User:
        return user_of(self.run(self.tables.get(TENANTS, self.key)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.dynamodb.forget()
        self.run(self.plain.close())


def is_current(session: Session, token: RefreshToken) -> bool:
    return session.token == token.hash


def is_recent(session: Session | None, token: RefreshToken, now: Micros) -> bool:
    rotations = session.rotations if session else ()
    return any(rotation.presented == token.hash and now - rotation.at < GRACE for rotation in rotations)


def test_sessions_end_when_they_should_and_never_come_back(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    machine: Any = partial(SessionMachine, loop, module_tables, dynamodb)
    profile = settings.get_profile(settings.get_current_profile_name())
    few = settings(profile, max_examples=profile.max_examples // 2)
    run_state_machine_as_test(machine, settings=few)
