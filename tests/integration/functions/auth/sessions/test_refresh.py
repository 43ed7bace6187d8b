"""Refreshes that meet, replays that meet, and the people of tenants that are not active."""

import asyncio

import pytest

from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.platform.routes import Role
from callmissed.tenants.tenants import TenantStatus
from callmissed.tenants.users import get_user
from functions.auth.sessions.service import TokenPair
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant, set_status
from tests.support.whole_product import WholeProduct


async def refresh(person: SignedIn, later: int = 0) -> TokenPair | str:
    """The next pair, or the refusal."""
    now = Micros(person.product.clock() + later)
    try:
        return await person.product.people.sessions.refresh(person.tokens.refresh, BROWSER, now)
    except ApiError as refused:
        return f"{refused.status} {refused.code}: {refused.message}"


async def test_refreshes_at_once_get_one_pair(product: WholeProduct) -> None:
    owner = await new_tenant(product)

    pairs = await asyncio.gather(*(refresh(owner) for _ in range(6)))

    assert {type(pair) for pair in pairs} == {TokenPair}
    assert len(set(pairs)) == 1
    [session] = await product.people.sessions.of_user(owner.user.user_id, product.clock())
    assert session.turn == 1


async def test_replays_at_once_are_refused_alike_and_end_the_sessions_once(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    await refresh(owner)
    queued = len(product.mails.bodies)

    replays = await asyncio.gather(*(refresh(owner, MINUTE) for _ in range(4)))

    assert set(replays) == {"401 invalid_refresh_token: Session has been revoked"}
    user = await get_user(product.database, owner.tenant, owner.user.user_id)
    assert user.generation == owner.user.generation + 1
    assert len(product.mails.bodies) == queued + 1


@pytest.mark.parametrize(
    ("status", "role", "code"),
    [
        (TenantStatus.SUSPENDED, Role.OWNER, "account_inactive"),
        (TenantStatus.DEACTIVATED, Role.ADMIN, "account_inactive"),
        (TenantStatus.DEACTIVATED, Role.OWNER, ""),
        (TenantStatus.DELETING, Role.OWNER, "account_terminated"),
    ],
)
async def test_tenant_that_is_not_active_gets_no_tokens_but_its_owner_may_come_back(
    product: WholeProduct, status: TenantStatus, role: Role, code: str
) -> None:
    owner = await new_tenant(product)
    person = owner if role is Role.OWNER else await new_member(owner, role)
    await set_status(product, owner.tenant, status)

    outcome = await refresh(person)

    if code:
        assert str(outcome).startswith(f"403 {code}")
        [session] = await product.people.sessions.of_user(person.user.user_id, product.clock())
        assert session.turn == 0
    else:
        assert isinstance(outcome, TokenPair)
