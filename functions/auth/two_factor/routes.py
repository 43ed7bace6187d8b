"""/api/v1/auth/2fa: a person's second factor, a sign-in's second step, and the way back without it."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.tenants.identity import identity
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.challenges.codes import CodePurpose
from functions.auth.dependencies import ActorOf, VisitorOf, per_network
from functions.auth.error_responses import ERRORS
from functions.auth.sign_in.captcha import RememberedCaptcha
from functions.auth.sign_in.schemas import Detail, LoginResponse
from functions.auth.two_factor.recovery import FactorRecovery
from functions.auth.two_factor.schemas import (
    AppCodeForm,
    BackupCodesOut,
    DisableForm,
    FactorStatusOut,
    FactorVerification,
    RecoveryConfirmation,
    RecoveryForm,
    SetupOut,
)
from functions.auth.two_factor.service import TwoFactor
from functions.auth.two_factor.verification import CodeVerification

router = APIRouter(prefix="/api/v1/auth/2fa", tags=["auth"], route_class=GatewayRoute)

TwoFactorOf = Annotated[TwoFactor, from_state("two_factor")]
VerificationOf = Annotated[CodeVerification, from_state("code_verification")]
RecoveryOf = Annotated[FactorRecovery, from_state("recovery")]
CaptchaOf = Annotated[RememberedCaptcha, from_state("captcha")]


@router.get(
    "/status", summary="State of the second factor", response_model=FactorStatusOut, responses=ERRORS.session(404)
)
async def status(person: PersonOf, two_factor: TwoFactorOf) -> FactorStatusOut:
    """Whether sign-ins ask for a code of an authenticator app."""
    return FactorStatusOut.of(await two_factor.status(person))


@router.post(
    "/setup",
    summary="Set up an authenticator app",
    response_model=SetupOut,
    responses=ERRORS.session(404, changes=True),
)
async def setup(person: PersonOf, two_factor: TwoFactorOf, clock: ClockOf) -> SetupOut:
    """A secret for the app, the same one for 15 minutes. Nothing is asked for before `2fa/enable`."""
    return SetupOut.of(await two_factor.setup(person, clock()))


@router.post(
    "/enable",
    summary="Enable the second factor",
    response_model=BackupCodesOut,
    responses=ERRORS.session(404, changes=True),
)
async def enable(
    form: AppCodeForm, person: PersonOf, actor: ActorOf, two_factor: TwoFactorOf, clock: ClockOf
) -> BackupCodesOut:
    """Ask for a code at each sign-in from now on. The backup codes are shown once; each works once."""
    return BackupCodesOut.of(await two_factor.enable(person, form.code, actor, clock()))


@router.post(
    "/disable",
    summary="Disable the second factor",
    response_model=Detail,
    responses=ERRORS.session(404, changes=True),
)
async def disable(
    form: DisableForm, person: PersonOf, actor: ActorOf, two_factor: TwoFactorOf, clock: ClockOf
) -> Detail:
    """Ask for no codes any more, and sign out everywhere else. Passkeys stay."""
    disabled = await two_factor.disable(person, form.password, form.code, actor, clock())
    what = "disabled" if disabled else "not enabled"
    return Detail(detail=f"Two-factor authentication is {what}.")


@router.post(
    "/backup-codes/regenerate",
    summary="Replace the backup codes",
    response_model=BackupCodesOut,
    responses=ERRORS.session(404, changes=True),
)
async def regenerate(
    form: AppCodeForm, person: PersonOf, actor: ActorOf, two_factor: TwoFactorOf, clock: ClockOf
) -> BackupCodesOut:
    """Ten new backup codes, which are shown once; those of before work no more."""
    return BackupCodesOut.of(await two_factor.regenerate(person, form.code, actor, clock()))


@router.post(
    "/verify",
    summary="Complete a sign-in with a code",
    response_model=LoginResponse,
    responses=ERRORS.public(401, 403, 409),
    dependencies=[per_network("2fa/verify", 10)],
)
async def verify(
    form: FactorVerification, verification: VerificationOf, visitor: VisitorOf, clock: ClockOf
) -> LoginResponse:
    """Answer the challenge of a sign-in with a code of the app or a backup code."""
    return LoginResponse.of(await verification.verify(form.challenge_token, form.code, visitor, clock()))


@router.post(
    "/recovery/request",
    summary="Ask for a recovery code",
    response_model=Detail,
    responses=ERRORS.public(401),
    dependencies=[per_network("2fa/recovery/request", 5)],
)
async def request_recovery(
    form: RecoveryForm, recovery: RecoveryOf, captcha: CaptchaOf, visitor: VisitorOf, clock: ClockOf
) -> Detail:
    """Mail a code to somebody who has lost the second factor. The answer is always the same."""
    now, address = clock(), identity(form.email)
    await captcha.check(CodePurpose.RECOVERY, address, form.cf_turnstile_token, visitor.ip_address, now)
    await recovery.request(form.email, form.password, now)
    return Detail(detail="If the account has a second factor and the password is right, a code was sent.")


@router.post(
    "/recovery/confirm",
    summary="Remove a lost second factor",
    response_model=Detail,
    responses=ERRORS.public(),
    dependencies=[per_network("2fa/recovery/confirm", 5)],
)
async def confirm_recovery(
    form: RecoveryConfirmation, recovery: RecoveryOf, visitor: VisitorOf, clock: ClockOf
) -> Detail:
    """Remove all second factors of the person, with the code of the mail, and sign out everywhere."""
    await recovery.confirm(form.email, form.code, form.password, visitor, clock())
    return Detail(detail="The second factor was removed. Sign in with your password.")
