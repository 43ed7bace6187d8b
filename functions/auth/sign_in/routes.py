"""/api/v1/auth: sign-up, sign-in, and the signed-in person.

The public routes have limits for each network, as the contract lists them.
"""

from typing import Annotated

from fastapi import APIRouter

from callmissed.tenants.identity import identity
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.challenges.codes import CodePurpose
from functions.auth.dependencies import ActorOf, VisitorOf, per_network
from functions.auth.error_responses import ERRORS
from functions.auth.sessions.service import Sessions
from functions.auth.sign_in.captcha import RememberedCaptcha
from functions.auth.sign_in.google import GoogleSignIn
from functions.auth.sign_in.profile import Profiles
from functions.auth.sign_in.registration import Registrations
from functions.auth.sign_in.schemas import (
    CodeLoginForm,
    CodeRequest,
    Detail,
    GoogleForm,
    LoginForm,
    LoginResponse,
    MeOut,
    ProfileChanges,
    RefreshForm,
    RegistrationForm,
    ResetForm,
    Sent,
    TenantOut,
    Tokens,
    UserOut,
    Verification,
)
from functions.auth.sign_in.service import SignIn

router = APIRouter(prefix="/api/v1/auth", tags=["auth"], route_class=GatewayRoute)

SignInOf = Annotated[SignIn, from_state("sign_in")]
RegistrationsOf = Annotated[Registrations, from_state("registrations")]
GoogleOf = Annotated[GoogleSignIn, from_state("google")]
CaptchaOf = Annotated[RememberedCaptcha, from_state("captcha")]
SessionsOf = Annotated[Sessions, from_state("sessions")]
ProfilesOf = Annotated[Profiles, from_state("profiles")]

_SENT = "A code was sent to the address, if it can be used there."


@router.post(
    "/register",
    summary="Register",
    response_model=Sent,
    responses=ERRORS.public(401),
    dependencies=[per_network("register", 5)],
)
async def register(
    form: RegistrationForm, registrations: RegistrationsOf, captcha: CaptchaOf, visitor: VisitorOf, clock: ClockOf
) -> Sent:
    """Mail a code to the address. The answer is the same whether the address has an account."""
    now, address = clock(), identity(form.email)
    await captcha.check(CodePurpose.REGISTER, address, form.cf_turnstile_token, visitor.ip_address, now)
    return Sent(detail=_SENT, email=await registrations.register(form, now))


@router.post(
    "/register/verify",
    summary="Confirm the address",
    response_model=LoginResponse,
    responses=ERRORS.public(),
    dependencies=[per_network("register/verify", 10)],
)
async def confirm(form: Verification, sign_in: SignInOf, visitor: VisitorOf, clock: ClockOf) -> LoginResponse:
    """Create the account with the code of the mail, and sign in."""
    return LoginResponse.of(await sign_in.confirm(form.email, form.code, visitor, clock()))


@router.post(
    "/login",
    summary="Sign in",
    response_model=LoginResponse,
    responses=ERRORS.public(401, 403),
    dependencies=[per_network("login", 10)],
)
async def login(form: LoginForm, sign_in: SignInOf, visitor: VisitorOf, clock: ClockOf) -> LoginResponse:
    """Sign in by password. Who has a second factor gets a challenge instead of tokens."""
    return LoginResponse.of(await sign_in.login(form.email, form.password, visitor, clock()))


@router.post(
    "/google",
    summary="Sign in with Google",
    response_model=LoginResponse,
    responses=ERRORS.public(401, 403, 409),
    dependencies=[per_network("google", 10)],
)
async def google(form: GoogleForm, google: GoogleOf, visitor: VisitorOf, clock: ClockOf) -> LoginResponse:
    """Sign in to the account of the address that Google has verified, or create one. 503 where Google is off."""
    return LoginResponse.of(await google.sign_in(form, visitor, clock()))


@router.post(
    "/otp/send",
    summary="Mail a code",
    response_model=Detail,
    responses=ERRORS.public(401),
    dependencies=[per_network("otp/send", 5)],
)
async def send_code(
    form: CodeRequest, sign_in: SignInOf, captcha: CaptchaOf, visitor: VisitorOf, clock: ClockOf
) -> Detail:
    """Mail a code to sign in, to reset the password, or to confirm the address. The answer is always the same."""
    now, purpose, address = clock(), form.code_purpose, identity(form.email)
    await captcha.check_again(purpose, address, form.cf_turnstile_token, visitor.ip_address, now)
    await sign_in.send_code(form.email, purpose, now)
    return Detail(detail=_SENT)


@router.post(
    "/otp/login",
    summary="Sign in by code",
    response_model=LoginResponse,
    responses=ERRORS.public(403, 409),
    dependencies=[per_network("otp/login", 10)],
)
async def login_by_code(form: CodeLoginForm, sign_in: SignInOf, visitor: VisitorOf, clock: ClockOf) -> LoginResponse:
    """Sign in by the code of a mail. Who has a second factor gets a challenge instead of tokens."""
    enter = sign_in.confirm if form.purpose == "register" else sign_in.login_by_code
    return LoginResponse.of(await enter(form.email, form.code, visitor, clock()))


@router.post(
    "/reset-password",
    summary="Reset the password",
    response_model=LoginResponse,
    responses=ERRORS.public(403, 409),
    dependencies=[per_network("reset-password", 5)],
)
async def reset_password(form: ResetForm, sign_in: SignInOf, visitor: VisitorOf, clock: ClockOf) -> LoginResponse:
    """Set a new password with the code of a mail, end all sessions, and sign in."""
    outcome = await sign_in.reset_password(form.email, form.code, form.new_password, visitor, clock())
    return LoginResponse.of(outcome)


@router.post(
    "/refresh",
    summary="Refresh tokens",
    response_model=Tokens,
    responses=ERRORS.public(401, 403, 409),
    dependencies=[per_network("refresh", 10)],
)
async def refresh(form: RefreshForm, sessions: SessionsOf, visitor: VisitorOf, clock: ClockOf) -> Tokens:
    """The next pair. A token works once; within ten seconds a retry gets the same pair.

    A token that comes later again was probably stolen: all sessions of the person end.
    """
    return Tokens.of(await sessions.refresh(form.refresh_token, visitor, clock()))


@router.post(
    "/logout",
    summary="Sign out",
    response_model=Detail,
    responses=ERRORS.public(),
    dependencies=[per_network("logout", 10)],
)
async def logout(form: RefreshForm, sessions: SessionsOf, visitor: VisitorOf, clock: ClockOf) -> Detail:
    """End the session of a refresh token, whatever the token is."""
    await sessions.sign_out(form.refresh_token, visitor, clock())
    return Detail(detail="Logged out")


@router.patch("/me", summary="Change one's profile", response_model=MeOut, responses=ERRORS.session(404, changes=True))
async def change_me(
    changes: ProfileChanges, person: PersonOf, actor: ActorOf, profiles: ProfilesOf, clock: ClockOf
) -> MeOut:
    """Change what the body names, and nothing else. An empty phone number clears it."""
    now, named = clock(), changes.model_dump(exclude_none=True)
    await profiles.change(person.tenant, person.user_id, named, actor, now)
    profile = await profiles.get(person.tenant, person.user_id, now)
    return MeOut(user=UserOut.of(profile.user), tenant=TenantOut.of(profile.tenant, profile.balance))


@router.get("/me", summary="Who is signed in", response_model=MeOut, responses=ERRORS.session(404))
async def me(person: PersonOf, profiles: ProfilesOf, clock: ClockOf) -> MeOut:
    """The signed-in person and the tenant."""
    profile = await profiles.get(person.tenant, person.user_id, clock())
    return MeOut(user=UserOut.of(profile.user), tenant=TenantOut.of(profile.tenant, profile.balance))
