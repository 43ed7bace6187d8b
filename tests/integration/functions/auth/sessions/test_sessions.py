"""Where a person is signed in: listed, ended one by one, and ended everywhere else at once."""

import asyncio
import json

import pytest

from callmissed.errors import ApiError
from callmissed.platform.routes import Role
from tests.support.people import BROWSER, SignedIn, new_member, new_tenant, sign_in
from tests.support.whole_product import WholeProduct

PATH = "/api/v1/auth/sessions"


async def sessions_of(person: SignedIn) -> list[dict[str, object]]:
    return json.loads((await person.call("GET", PATH)).body)


async def is_signed_in(person: SignedIn) -> bool:
    return (await person.call("GET", PATH)).status == 200


async def test_sessions_are_listed_newest_first(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    later = await sign_in(product, owner.user)
    await new_member(owner, Role.AGENT)

    listed = await sessions_of(later)

    assert [session["is_current"] for session in listed] == [True, False]
    assert [(session["ip"], session["user_agent"]) for session in listed] == [("203.0.113.7", "a browser")] * 2


async def test_session_that_is_ended_is_refused_with_the_next_call(product: WholeProduct) -> None:
    owner = await new_tenant(product)
    other, member = await sign_in(product, owner.user), await new_member(owner, Role.AGENT)
    [session_id] = [session["id"] for session in await sessions_of(owner) if not session["is_current"]]

    foreign = await member.call("DELETE", f"{PATH}/{session_id}")
    ended = await owner.call("DELETE", f"{PATH}/{session_id}")

    assert (foreign.status, ended.status) == (404, 200)
    assert (await is_signed_in(owner), await is_signed_in(other)) == (True, False)


async def test_all_other_sessions_end_in_one_step(product: WholeProduct) -> None:
    """Somebody with many sessions must not have to ask again and again, while one of them is a thief's."""
    owner = await new_tenant(product)
    others = await asyncio.gather(*(sign_in(product, owner.user) for _ in range(4)))

    ended = await owner.call("DELETE", PATH)
    again = await owner.call("DELETE", PATH)

    assert [json.loads(reply.body)["revoked"] for reply in (ended, again)] == [4, 0]
    assert [await is_signed_in(person) for person in (owner, *others)] == [True, *[False] * 4]
    events = json.loads((await owner.call("GET", "/api/v1/audit/events")).body)
    assert [(event["action"], event["metadata"]) for event in events] == [("session.end_others", {"sessions": 4})]
    with pytest.raises(ApiError, match="revoked"):
        await product.people.sessions.refresh(others[0].tokens.refresh, BROWSER, product.clock())
