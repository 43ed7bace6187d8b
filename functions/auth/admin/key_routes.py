"""/api/v1/admin/tenants/{tenant_id}/keys: what operators change of a tenant's keys."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.keys.management import KeyManager
from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.schemas import OperatorRequest
from functions.auth.admin.schemas import KeyRow, NewKeyRow, RequestedKey, RequestedRotation
from functions.auth.api_keys.audit import key_audit
from functions.auth.error_responses import ERRORS

router = APIRouter(prefix="/api/v1/admin/tenants/{tenant_id}/keys", tags=["admin"], route_class=GatewayRoute)

ManagerOf = Annotated[KeyManager, from_state("key_manager")]


@router.post(
    "", summary="Create a tenant's key", status_code=201, response_model=NewKeyRow, responses=ERRORS.operator()
)
async def create_key(
    tenant_id: str, new: RequestedKey, operator: OperatorOf, keys: ManagerOf, clock: ClockOf
) -> NewKeyRow:
    """A new key. Its `secret` is in this answer only."""
    now = clock()
    audit = key_audit("key.create", operator(new.reason), now)
    created = await keys.create(tenant_id, name=new.name, mode=new.mode, policy=new.policy(now), now=now, audit=audit)
    return NewKeyRow.of(created.record, secret=created.secret)


@router.post("/{key_id}/revoke", summary="Revoke a tenant's key", response_model=KeyRow, responses=ERRORS.operator(409))
async def revoke_key(
    tenant_id: str, key_id: str, request: OperatorRequest, operator: OperatorOf, keys: ManagerOf, clock: ClockOf
) -> KeyRow:
    """End every secret of the key, for good. Safe to repeat."""
    now = clock()
    audit = key_audit("key.revoke", operator(request.reason), now)
    return KeyRow.of(await keys.revoke(tenant_id, key_id, now=now, audit=audit))


@router.post(
    "/{key_id}/rotate", summary="Rotate a tenant's key", response_model=NewKeyRow, responses=ERRORS.operator(409)
)
async def rotate_key(
    tenant_id: str, key_id: str, rotation: RequestedRotation, operator: OperatorOf, keys: ManagerOf, clock: ClockOf
) -> NewKeyRow:
    """A new secret, which is in this answer only."""
    now, minutes = clock(), rotation.overlap_minutes
    audit = key_audit("key.rotate", operator(rotation.reason), now, overlap_minutes=minutes)
    rotated = await keys.rotate(tenant_id, key_id, overlap_minutes=minutes, now=now, audit=audit)
    return NewKeyRow.of(rotated.record, secret=rotated.secret)
