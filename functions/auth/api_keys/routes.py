"""/api/v1/keys: a tenant's API keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from callmissed.keys.count import MAX_KEYS_OF_TENANT
from callmissed.rate_limits import Limit, SlidingWindows, network_of
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.auth.api_keys.cursors import CURSOR
from functions.auth.api_keys.leaks import LeakedKeys
from functions.auth.api_keys.schemas import (
    ApiKeyOut,
    ChangedApiKey,
    KeyRotation,
    LeakedKey,
    LeakReceived,
    NewApiKey,
    NewSecretOut,
    RateStateOut,
)
from functions.auth.api_keys.service import ApiKeys, KeyRequest
from functions.auth.dependencies import ActorOf, VisitorOf
from functions.auth.error_responses import ERRORS

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], route_class=GatewayRoute)

KeysOf = Annotated[ApiKeys, from_state("keys")]
LeakedKeysOf = Annotated[LeakedKeys, from_state("leaked_keys")]
WindowsOf = Annotated[SlidingWindows, from_state("windows")]

_MAX_PAGE = MAX_KEYS_OF_TENANT
_NEXT = "X-Next-Cursor"
_NEXT_SCHEMA = {"description": "`cursor` of the next page; missing on the last.", "schema": {"type": "string"}}
_PAGE: dict[int | str, dict[str, Any]] = {200: {"headers": {_NEXT: _NEXT_SCHEMA}}}
_LEAKED = Limit("keys/leaked", 10)


def _key_request(person: PersonOf, actor: ActorOf, operation: OperationOf, clock: ClockOf) -> KeyRequest:
    return KeyRequest(person.tenant, actor, operation, clock())


KeyRequestOf = Annotated[KeyRequest, Depends(_key_request)]


@router.get("", summary="List keys", response_model=list[ApiKeyOut], responses=ERRORS.session(422) | _PAGE)
async def list_keys(
    person: PersonOf,
    keys: KeysOf,
    clock: ClockOf,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Keys on a page, at most.")] = _MAX_PAGE,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description=f"`{_NEXT}` of the page before.")] = None,
) -> list[ApiKeyOut]:
    """The tenant's keys, oldest first; revoked ones for 30 days. Secrets are never shown again."""
    page = await keys.page(person.tenant, limit, cursor or "", clock())
    response.headers.update({_NEXT: page.cursor} if page.cursor else {})
    return [ApiKeyOut.of(key, state) for key, state in page.keys]


@router.post(
    "",
    summary="Create a key",
    status_code=201,
    response_model=NewSecretOut,
    responses=ERRORS.session(changes=True),
)
async def create_key(new: NewApiKey, asked: KeyRequestOf, keys: KeysOf) -> NewSecretOut:
    """A new key. Its secret, `key`, is in this answer only. A tenant has at most 200 keys that are not revoked."""
    created, state = await keys.create(asked, new)
    return NewSecretOut.of(created.record, state, key=created.secret)


@router.post("/leaked", summary="Report a leaked key", response_model=LeakReceived, responses=ERRORS.public())
async def report_leaked_key(
    leaked: LeakedKey, visitor: VisitorOf, windows: WindowsOf, leaked_keys: LeakedKeysOf, clock: ClockOf
) -> LeakReceived:
    """Revoke a key that was found in public, and mail its owner. The answer is the same for every text."""
    now = clock()
    await windows.count(_LEAKED, network_of(visitor.ip_address), now)
    await leaked_keys.report(leaked.key, visitor.ip_address, now)
    return LeakReceived(detail="Thank you. If this is a key that works, it is revoked now and its owner gets a mail.")


@router.get("/{key_id}", summary="Get a key", response_model=ApiKeyOut, responses=ERRORS.session(404))
async def get_key(key_id: str, person: PersonOf, keys: KeysOf, clock: ClockOf) -> ApiKeyOut:
    """One key."""
    return ApiKeyOut.of(*await keys.get(person.tenant, key_id, clock()))


@router.patch(
    "/{key_id}",
    summary="Change a key (as PUT)",
    response_model=ApiKeyOut,
    responses=ERRORS.session(404, changes=True),
)
@router.put("/{key_id}", summary="Change a key", response_model=ApiKeyOut, responses=ERRORS.session(404, changes=True))
async def change_key(key_id: str, changes: ChangedApiKey, asked: KeyRequestOf, keys: KeysOf) -> ApiKeyOut:
    """Change what the body names, for all secrets of the key from the next call on.

    `is_active` pauses and resumes. A changed budget counts for the running month, with what is spent of it already.
    """
    return ApiKeyOut.of(*await keys.change(asked, key_id, changes))


@router.delete("/{key_id}", summary="Revoke a key", status_code=204, responses=ERRORS.session(404, 409))
async def revoke_key(key_id: str, person: PersonOf, actor: ActorOf, keys: KeysOf, clock: ClockOf) -> None:
    """End every secret of the key, for good: the next call with it is refused. Safe to repeat."""
    await keys.revoke(person.tenant, key_id, actor, clock())


@router.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    response_model=NewSecretOut,
    responses=ERRORS.session(404, changes=True),
)
async def rotate_key(
    key_id: str, asked: KeyRequestOf, keys: KeysOf, rotation: KeyRotation | None = None
) -> NewSecretOut:
    """A new secret, `key`, in this answer only. Earlier ones end at once, or work for `overlap_hours`.

    During an overlap each secret has the key's rate, and the earlier ones keep half of what was left of the budget.
    """
    rotated, state = await keys.rotate(asked, key_id, (rotation or KeyRotation()).overlap_minutes)
    return NewSecretOut.of(rotated.record, state, key=rotated.secret)


@router.get(
    "/{key_id}/rate-state", summary="Get a key's state", response_model=RateStateOut, responses=ERRORS.session(404)
)
async def get_rate_state(key_id: str, person: PersonOf, keys: KeysOf, clock: ClockOf) -> RateStateOut:
    """What the key may call now, and what is left of its budget. Reading it changes nothing."""
    return RateStateOut.of(*await keys.get(person.tenant, key_id, clock()))


@router.post("/{key_id}/reveal/verify", summary="Gone", status_code=410, responses=ERRORS.session(404, 410))
@router.post("/{key_id}/reveal/request", summary="Gone", status_code=410, responses=ERRORS.session(404, 410))
async def reveal_key(key_id: str, person: PersonOf, keys: KeysOf) -> None:
    """Always 410: only a hash of a secret is stored. Rotate the key for a new one."""
    await keys.refuse_to_reveal(person.tenant, key_id)
