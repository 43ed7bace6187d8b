"""/api/v1/auth/passkey: a person's passkeys, and a sign-in's second step by one."""

from typing import Annotated

from fastapi import APIRouter, Query

from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.dependencies import ActorOf, VisitorOf, per_network
from functions.auth.error_responses import ERRORS
from functions.auth.passkeys.schemas import (
    PasskeyAnswer,
    PasskeyOptions,
    PasskeyOut,
    PasskeyRegistration,
    PasskeyRenaming,
)
from functions.auth.passkeys.service import Passkeys
from functions.auth.passkeys.verification import PasskeyVerification
from functions.auth.sign_in.schemas import Detail, LoginResponse

router = APIRouter(prefix="/api/v1/auth/passkey", tags=["auth"], route_class=GatewayRoute)

PasskeysOf = Annotated[Passkeys, from_state("passkeys")]
VerificationOf = Annotated[PasskeyVerification, from_state("passkey_verification")]
RegistrationToken = Annotated[str, Query(min_length=10, max_length=256)]


@router.get("/list", summary="List passkeys", response_model=list[PasskeyOut], responses=ERRORS.session())
async def list_passkeys(person: PersonOf, passkeys: PasskeysOf) -> list[PasskeyOut]:
    """The person's passkeys, oldest first."""
    return [PasskeyOut.of(passkey) for passkey in await passkeys.list(person)]


@router.post(
    "/register/options",
    summary="Begin to register a passkey",
    response_model=PasskeyOptions,
    responses=ERRORS.session(404, changes=True),
)
async def begin(person: PersonOf, passkeys: PasskeysOf, clock: ClockOf) -> PasskeyOptions:
    """What the browser needs to make a passkey. Valid for five minutes and five tries."""
    options, issued = await passkeys.begin(person, clock())
    return PasskeyOptions(options=options, registration_token=issued.token)


@router.post(
    "/register/verify",
    summary="Register a passkey",
    response_model=PasskeyOut,
    responses=ERRORS.session(404, changes=True),
)
async def register(
    registration_token: RegistrationToken,
    form: PasskeyRegistration,
    person: PersonOf,
    actor: ActorOf,
    passkeys: PasskeysOf,
    clock: ClockOf,
) -> PasskeyOut:
    """Register what the browser has made. From then on, sign-ins of the person need a second factor."""
    passkey = await passkeys.register(person, registration_token, form.credential, form.name, actor, clock())
    return PasskeyOut.of(passkey)


@router.post(
    "/login/verify",
    summary="Complete a sign-in with a passkey",
    response_model=LoginResponse,
    responses=ERRORS.public(401, 403, 409),
    dependencies=[per_network("passkey/login/verify", 10)],
)
async def verify(
    form: PasskeyAnswer, verification: VerificationOf, visitor: VisitorOf, clock: ClockOf
) -> LoginResponse:
    """Answer the challenge of a sign-in with a passkey of the person."""
    return LoginResponse.of(await verification.verify(form.challenge_token, form.credential, visitor, clock()))


@router.patch(
    "/{passkey_id}",
    summary="Rename a passkey",
    response_model=PasskeyOut,
    responses=ERRORS.session(404, changes=True),
)
async def rename(
    passkey_id: str, form: PasskeyRenaming, person: PersonOf, actor: ActorOf, passkeys: PasskeysOf, clock: ClockOf
) -> PasskeyOut:
    """Give the passkey another name."""
    return PasskeyOut.of(await passkeys.rename(person, passkey_id, form.name, actor, clock()))


@router.delete("/{passkey_id}", summary="Delete a passkey", response_model=Detail, responses=ERRORS.session(404, 409))
async def delete(passkey_id: str, person: PersonOf, actor: ActorOf, passkeys: PasskeysOf, clock: ClockOf) -> Detail:
    """Delete the passkey, and sign out everywhere else."""
    await passkeys.delete(person, passkey_id, actor, clock())
    return Detail(detail="The passkey was deleted.")
