"""A team under every fault: exactly one active owner after each write that arrives, whoever asks for what."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.platform.routes import Role
from functions.auth.team.invitation import Invitation
from local.aws.tables import StageTables
from tests.support.faults import FAULTS, Crash, Fault, FaultyDynamoDB
from tests.support.teams import acting, check_addresses, check_owner, found_tenant, snapshot, team_of

START = 1_794_787_200 * SECOND
DAY = 24 * 3600 * SECOND
SOMEBODY = st.integers(0, 3)
Faults = Sequence[Fault | None]
_IN_FLIGHT = Fault.DIE_IN_FLIGHT
LOSSES = FAULTS | st.sampled_from([(None, _IN_FLIGHT), (None, None, _IN_FLIGHT)])
"""A process that dies while its transaction is under way leaves one that arrives at any later time."""
SMALL = settings(max_examples=max(8, settings().max_examples // 8), stateful_step_count=14)


class TeamMachine(RuleBasedStateMachine):
    """One tenant with four people, one of whom may be an invitation that comes and goes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: StageTables, dynamodb: FaultyDynamoDB) -> None:
        super().__init__()
        self.loop, self.dynamodb, self.now = loop, dynamodb, START
        self.team = team_of(dynamodb, store.stage)
        self.plain = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
        self.database = Database(self.plain, store.stage)
        self.people: list[str] = []

    @initialize()
    def found(self) -> None:
        """An owner and three admins."""
        self.tenant, self.people = self._wait(found_tenant(self.database, Micros(self.now), 3))
        self.dynamodb.arrived = self._arrived

    @rule(whom=SOMEBODY, by=SOMEBODY, role=st.sampled_from([Role.OWNER, Role.OWNER, Role.AGENT]), faults=LOSSES)
    def assign(self, whom: int, by: int, role: Role, faults: Faults) -> None:
        """Somebody who was the owner once, or is, gives a role."""
        actor, user_id = acting(self.people[by]), self.people[whom]
        self._try("assign", self.team.assign_role(self.tenant, user_id, role, actor, Micros(self.now)), faults)

    @rule(whom=SOMEBODY, by=SOMEBODY, active=st.booleans(), faults=LOSSES)
    def switch(self, whom: int, by: int, active: bool, faults: Faults) -> None:
        """Somebody is deactivated, or may sign in again."""
        changes, actor = {"is_active": active}, acting(self.people[by])
        self._try("switch", self.team.change(self.tenant, self.people[whom], changes, actor, Micros(self.now)), faults)

    @rule(whom=SOMEBODY, by=SOMEBODY, faults=LOSSES)
    def remove(self, whom: int, by: int, faults: Faults) -> None:
        """Somebody is removed, and somebody else invited instead."""
        actor = acting(self.people[by])
        self._try("remove", self.team.remove(self.tenant, self.people[whom], actor, Micros(self.now)), faults)
        self.now += DAY
        operation = Operation.new()
        invitation = Invitation(f"{operation.id}@example.com", "Grace")
        invited = self.team.invite(self.tenant, invitation, actor, Micros(self.now), operation)
        self._try("invite", invited, faults)
        if all(self.people[whom] != user.user_id for user in self._wait(self.team.members(self.tenant))):
            self.people[whom] = operation.new_id("usr")

    @rule(whom=SOMEBODY, then=st.sampled_from(["deactivate", "demote"]), first=st.booleans())
    def meanwhile(self, whom: int, then: str, first: bool) -> None:
        """The owner hands over to somebody while an admin does something else with the same person."""
        (owner, *_) = [user for user in self._wait(self.team.members(self.tenant)) if user.role is Role.OWNER]
        user_id, now = self.people[whom], Micros(self.now)
        works = {
            "hand over": lambda: self.team.assign_role(self.tenant, user_id, Role.OWNER, acting(owner.user_id), now),
            "deactivate": lambda: self.team.change(self.tenant, user_id, {"is_active": False}, acting("usr_x"), now),
            "demote": lambda: self.team.assign_role(self.tenant, user_id, Role.AGENT, acting(owner.user_id), now),
        }
        between, after = (works["hand over"], works[then]) if first else (works[then], works["hand over"])
        self.dynamodb.before("TransactWriteItems", lambda: self._settled(between()))
        self._try(f"meanwhile {then}", after(), ())
        self.dynamodb.forget_actions()

    @rule(which=st.integers(0, 20))
    def arrive_late(self, which: int) -> None:
        """A request whose answer was lost arrives after all."""
        if self.dynamodb.late:
            self._wait(self.dynamodb.deliver_late(which))

    @invariant()
    def people_and_addresses_agree(self) -> None:
        """Also after a crash in the middle."""
        if self.people:
            self._wait(check_addresses(self.database, self.tenant))

    def teardown(self) -> None:
        """Whatever is under way arrives."""
        try:
            while self.dynamodb.late:
                self.arrive_late(0)
        finally:
            self.dynamodb.forget()
            self.dynamodb.arrived = None
            self._wait(self.plain.close())

    async def _arrived(self, _request: dict[str, Any]) -> None:
        check_owner(await snapshot(self.database, self.tenant, self.people))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _settled(self, work: Coroutine[Any, Any, Any]) -> None:
        with suppress(ApiError):
            await work

    def _try(self, name: str, work: Coroutine[Any, Any, Any], faults: Faults) -> None:
        self.dynamodb.faults.extend(faults)
        try:
            self._wait(work)
            event(f"{name}: done")
        except (Crash, DynamoError, ApiError) as failure:
            event(f"{name}: {failure.code if isinstance(failure, ApiError) else type(failure).__name__}")
        finally:
            self.dynamodb.faults.clear()


def test_exactly_one_person_owns_the_tenant_whatever_goes_wrong(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    machine: Any = partial(TeamMachine, loop, module_tables, dynamodb)
    run_state_machine_as_test(machine, settings=SMALL)
