"""/api/v1/keys: a tenant's API keys."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.audit.events import AuditEvent, audit_operation
from callmissed.aws.operations import WriteOperation
from callmissed.keys.management import KeyManager
from callmissed.keys.records import ApiKey
from callmissed.keys.secret import Mode
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.api_keys.schemas import ApiKeyOut, NewApiKey
from functions.auth.dependencies import ActorOf
from functions.auth.error_responses import session_responses

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], route_class=GatewayRoute)

KeysOf = Annotated[KeyManager, from_state("keys")]


@router.get("", summary="List keys", response_model=list[ApiKeyOut], responses=session_responses())
async def list_keys(person: PersonOf, keys: KeysOf) -> list[ApiKeyOut]:
    """All keys of the tenant, revoked ones included, oldest first. Secrets are never shown again."""
    return [ApiKeyOut.of(key) for key in await keys.keys_of(person.tenant)]


@router.post(
    "",
    summary="Create a key",
    status_code=201,
    response_model=ApiKeyOut,
    responses=session_responses(changes=True),
)
async def create_key(new: NewApiKey, person: PersonOf, actor: ActorOf, keys: KeysOf, clock: ClockOf) -> ApiKeyOut:
    """A new key. Its secret, `key`, is in this answer only."""
    now = clock()

    def audit(key: ApiKey) -> list[WriteOperation]:
        event = AuditEvent(key.tenant, "key.create", "key", key.key_id, actor, {"name": key.name, "mode": key.mode})
        return [audit_operation(event, now)]

    created = await keys.create(
        person.tenant, name=new.name, mode=Mode(new.mode), policy=new.policy, now=now, audit=audit
    )
    return ApiKeyOut.of(created.record, created.secret)


@router.get("/{key_id}", summary="Get a key", response_model=ApiKeyOut, responses=session_responses(404))
async def get_key(key_id: str, person: PersonOf, keys: KeysOf) -> ApiKeyOut:
    """One key."""
    return ApiKeyOut.of(await keys.get(person.tenant, key_id))
