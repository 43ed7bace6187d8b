"""/api/v1/auth: sign-up, sign-in, and the signed-in person."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.clock import Micros
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.dependencies import ActorOf, VisitorOf
from functions.auth.error_responses import public_responses, session_responses
from functions.auth.limits import Limit, SlidingWindows, network_of
from functions.auth.sessions.service import Sessions
from functions.auth.sign_in.profile import Profiles
from functions.auth.sign_in.schemas import (
    Detail,
    LoginForm,
    LoginResponse,
    MeOut,
    ProfileChanges,
    RefreshForm,
    RegistrationForm,
    Sent,
    TenantOut,
    Tokens,
    UserOut,
    Verification,
)
from functions.auth.sign_in.service import SignIn

router = APIRouter(prefix="/api/v1/auth", tags=["auth"], route_class=GatewayRoute)

SignInOf = Annotated[SignIn, from_state("sign_in")]
SessionsOf = Annotated[Sessions, from_state("sessions")]
ProfilesOf = Annotated[Profiles, from_state("profiles")]
WindowsOf = Annotated[SlidingWindows, from_state("windows")]

_REGISTER = Limit("register", 5)
_VERIFY = Limit("register/verify", 10)
_LOGIN = Limit("login", 10)
_REFRESH = Limit("refresh", 10)
_LOGOUT = Limit("logout", 10)


async def _count(windows: SlidingWindows, limit: Limit, address: str, now: Micros) -> None:
    await windows.count(limit, network_of(address), now)


@router.post("/register", summary="Register", response_model=Sent, responses=public_responses())
async def register(
    form: RegistrationForm, sign_in: SignInOf, windows: WindowsOf, visitor: VisitorOf, clock: ClockOf
) -> Sent:
    """Mail a code to the address. The answer is the same whether the address has an account."""
    now = clock()
    await _count(windows, _REGISTER, visitor.ip_address, now)
    return Sent(detail="A code was sent to the address.", email=await sign_in.register(form, now))


@router.post(
    "/register/verify", summary="Confirm the address", response_model=LoginResponse, responses=public_responses()
)
async def confirm(
    form: Verification, sign_in: SignInOf, windows: WindowsOf, visitor: VisitorOf, clock: ClockOf
) -> LoginResponse:
    """Create the account with the code of the mail, and sign in."""
    now = clock()
    await _count(windows, _VERIFY, visitor.ip_address, now)
    signed_in = await sign_in.confirm(form.email, form.code, visitor, now)
    return LoginResponse.of(signed_in.user, signed_in.pair)


@router.post("/login", summary="Sign in", response_model=LoginResponse, responses=public_responses(401, 403))
async def login(
    form: LoginForm, sign_in: SignInOf, windows: WindowsOf, visitor: VisitorOf, clock: ClockOf
) -> LoginResponse:
    """Sign in by password."""
    now = clock()
    await _count(windows, _LOGIN, visitor.ip_address, now)
    signed_in = await sign_in.login(form.email, form.password, visitor, now)
    return LoginResponse.of(signed_in.user, signed_in.pair)


@router.post("/refresh", summary="Refresh tokens", response_model=Tokens, responses=public_responses(401, 403, 409))
async def refresh(
    form: RefreshForm, sessions: SessionsOf, windows: WindowsOf, visitor: VisitorOf, clock: ClockOf
) -> Tokens:
    """The next pair. A token works once; within ten seconds a retry gets the same pair.

    A token that comes later again was probably stolen: all sessions of the person end.
    """
    now = clock()
    await _count(windows, _REFRESH, visitor.ip_address, now)
    return Tokens.of(await sessions.refresh(form.refresh_token, visitor, now))


@router.post("/logout", summary="Sign out", response_model=Detail, responses=public_responses())
async def logout(
    form: RefreshForm, sessions: SessionsOf, windows: WindowsOf, visitor: VisitorOf, clock: ClockOf
) -> Detail:
    """End the session of a refresh token, whatever the token is."""
    await _count(windows, _LOGOUT, visitor.ip_address, clock())
    await sessions.end(form.refresh_token)
    return Detail(detail="Logged out")


@router.patch(
    "/me", summary="Change one's profile", response_model=MeOut, responses=session_responses(404, changes=True)
)
async def change_me(
    changes: ProfileChanges, person: PersonOf, actor: ActorOf, profiles: ProfilesOf, clock: ClockOf
) -> MeOut:
    """Change what the body names, and nothing else. An empty phone number clears it."""
    now, named = clock(), changes.model_dump(exclude_none=True)
    await profiles.change(person.tenant, person.user_id, named, actor, now)
    profile = await profiles.get(person.tenant, person.user_id, now)
    return MeOut(user=UserOut.of(profile.user), tenant=TenantOut.of(profile.tenant, profile.balance))


@router.get("/me", summary="Who is signed in", response_model=MeOut, responses=session_responses(404))
async def me(person: PersonOf, profiles: ProfilesOf, clock: ClockOf) -> MeOut:
    """The signed-in person and the tenant."""
    profile = await profiles.get(person.tenant, person.user_id, clock())
    return MeOut(user=UserOut.of(profile.user), tenant=TenantOut.of(profile.tenant, profile.balance))
