"""A billed call from admission to settlement (docs/architecture.md).

    admit → [lock the Idempotency-Key] → hold → answer: route, pass on, [store], settle
                                                     └─ or give everything back

The order matters: nothing is asked of an upstream before the dearest outcome is held, a reply is charged only once it
is stored for every retry, and a failure after admission gives back what was set aside before it reaches the caller.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError, service_unavailable
from callmissed.idempotency.store import Replay
from callmissed.keys.budgets import charge_of
from callmissed.keys.secret import Mode
from callmissed.ledger.errors import HoldRefused
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import limits
from callmissed.tenants.tenants import TenantSettings, get_tenant
from callmissed_ai.calls.call import AdmittedPayer, Call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import Payer
from callmissed_ai.calls.served import Served
from callmissed_ai.work import Work

T = TypeVar("T")
Answer = Callable[[Served], Awaitable[T]]
"""Where the bytes of a reply go; it begins and settles the call. See `callmissed_ai.answers`."""


async def run(container: Container, call: Call, payer: Payer, work: Work, answer: Answer[T]) -> T | Replay:
    """What `answer` makes of the reply to `work`, or the stored reply of an earlier run of the same request.

    Fills `call` on the way: its payer, hold, wallet and times. Raises ApiError; nothing stays held or charged then,
    except what DynamoDB does not let go of now and the sweep gives back.
    """
    try:
        work = await _admit(container, call, payer, work)
    except HoldRefused:
        if replay := await _replayed(container, call, payer, work):
            return replay  # what is paid for needs no budget
        raise
    try:
        work = work.permitted(call.admitted)
        if replay := await _begin(container, call):
            return replay
        work = await _hold_by_settings(container, call, work)
        return await answer(Served(container, call, work))
    except BaseException:
        await _give_up(container, call)
        raise


async def _admit(container: Container, call: Call, payer: Payer, work: Work) -> Work:
    """Admit the call. The work returned may be shorter, so that the key's budget covers it."""
    begun = container.clock()
    call.payer, work = await _affordable(work, partial(_admit_owner, container, call, payer, work))
    call.db_wait += container.clock() - begun
    return work


async def _admit_owner(
    container: Container, call: Call, payer: Payer, work: Work, estimate: MicroCredits
) -> AdmittedPayer:
    """Admit the payer, who must own the stored response that the call continues. Raises ApiError 404 for others.

    A refusal for lack of credits would show others that there is such a response, so its owner is checked first.
    """
    stored = call.stored
    try:
        admitted = await payer.admit(container, work.permission, estimate)
    except HoldRefused:
        if stored:
            stored.check_owner((await payer.admit(container, work.permission, NOTHING)).owner)
        raise
    try:
        if stored:
            stored.check_owner(admitted.owner)
    except ApiError:
        if admitted.key:
            await container.settlement.refund_key(admitted.key, NOTHING)
        raise
    return admitted


async def _replayed(container: Container, call: Call, payer: Payer, work: Work) -> Replay | None:
    """The answer that the request got before, for a key whose budget would not cover it again."""
    if call.idempotent is None:
        return None
    call.payer = await payer.admit(container, work.permission, NOTHING)
    work.permitted(call.payer)
    return await find_replay(container, call)


async def find_replay(container: Container, call: Call) -> Replay | None:
    """The stored reply of an earlier run of an admitted call, which does not run. Raises ApiError 409, 503."""
    if call.idempotent is None:
        return None
    replay = await _begin(container, call)
    await call.idempotent.release()
    return replay


async def _begin(container: Container, call: Call) -> Replay | None:
    """Lock the call's Idempotency-Key, if it has one; give the budget its charge back where it was answered before."""
    if call.idempotent is None:
        return None
    payer = call.admitted
    mode = Mode.TEST if payer.is_sandboxed else Mode.LIVE
    replay = await call.idempotent.begin(payer.tenant, mode, call.id, container.clock())
    if replay and payer.key:
        await container.settlement.refund_key(payer.key, NOTHING)
    return replay


async def _hold_by_settings(container: Container, call: Call, work: Work) -> Work:
    """Hold the dearest outcome. The work returned follows the tenant's settings, where they change it.

    What nobody asked for with the call is read once and beside the hold, so the call takes no longer for it.
    """
    if not work.follows_settings:
        return await _hold(container, call, work)
    reading = asyncio.ensure_future(_settings(container, call.admitted.tenant))
    try:
        held, settings = await _hold(container, call, work), await reading
    finally:
        reading.cancel()
    return held.following(settings)


async def _settings(container: Container, tenant: str) -> TenantSettings:
    """The tenant's settings, or the usual ones where they can't be read now."""
    with suppress(Unavailable, ApiError):
        return (await get_tenant(container.database, tenant)).settings
    return TenantSettings()


async def _hold(container: Container, call: Call, work: Work) -> Work:
    """Hold the dearest outcome. The work returned may be shorter, so that the wallet covers it."""
    payer = call.admitted
    if payer.is_sandboxed:
        return work
    begun, shards = container.clock(), limits(payer.plan).wallet_shards
    call.charge = charge_of(payer.key) if payer.key else None
    hold = partial(container.ledger.hold, payer.tenant, call.id, work.quota, shards=shards, charge=call.charge)
    try:
        (call.hold, call.wallet), work = await _affordable(work, hold)
    except Unavailable as error:
        raise service_unavailable() from error
    finally:
        call.db_wait += container.clock() - begun
    return work


async def _affordable(work: Work, set_aside: Callable[[MicroCredits], Awaitable[T]]) -> tuple[T, Work]:
    """Set the estimate of `work` aside, or of the same work made as short as what is left. Raises HoldRefused."""
    try:
        return await set_aside(work.estimate), work
    except HoldRefused as refused:
        shorter = work.shorter(refused.affordable)
        if shorter is None:
            raise
    return await set_aside(shorter.estimate), shorter


async def _give_up(container: Container, call: Call) -> None:
    """Undo what a failed call has set aside; the key is released also when the task is cancelled meanwhile."""
    if call.settling:
        return  # its entry, or its stored reply, may be there
    try:
        await container.settlement.cancel(call)
    finally:
        if call.idempotent:
            await call.idempotent.release()
