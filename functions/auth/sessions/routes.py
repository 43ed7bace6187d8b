"""/api/v1/auth/sessions, and the public keys of access tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Request

from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.dependencies import ActorOf
from functions.auth.error_responses import ERRORS
from functions.auth.sessions.schemas import SessionEnded, SessionOut, SessionsEnded
from functions.auth.sessions.service import Sessions

router = APIRouter(tags=["auth"], route_class=GatewayRoute)
_PATH = "/api/v1/auth/sessions"

SessionsOf = Annotated[Sessions, from_state("sessions")]


@router.get("/.well-known/jwks.json", summary="Public keys of access tokens")
async def key_set(request: Request) -> dict[str, Any]:
    """The public keys that verify access tokens, as a JWK Set (RFC 7517)."""
    return request.app.state.key_set


@router.get(_PATH, summary="List sessions", response_model=list[SessionOut], responses=ERRORS.session())
async def list_sessions(person: PersonOf, sessions: SessionsOf, clock: ClockOf) -> list[SessionOut]:
    """Where the person is signed in, newest first."""
    alive = await sessions.of_user(person.user_id, clock())
    return [SessionOut.of(session, person.session_id) for session in alive]


@router.delete(_PATH, summary="End other sessions", response_model=SessionsEnded, responses=ERRORS.session(404, 409))
async def end_other_sessions(person: PersonOf, actor: ActorOf, sessions: SessionsOf, clock: ClockOf) -> SessionsEnded:
    """Sign out everywhere else."""
    revoked = await sessions.end_others(person.tenant, person.session_id, actor, clock())
    return SessionsEnded(detail="Other sessions were ended.", revoked=revoked)


@router.delete(
    f"{_PATH}/{{session_id}}", summary="End a session", response_model=SessionEnded, responses=ERRORS.session(404)
)
async def end_session(
    session_id: str, person: PersonOf, actor: ActorOf, sessions: SessionsOf, clock: ClockOf
) -> SessionEnded:
    """Sign out somewhere: the session's tokens are refused from the next call on."""
    await sessions.end_one(person.tenant, session_id, actor, clock())
    return SessionEnded(detail="The session was ended.")
