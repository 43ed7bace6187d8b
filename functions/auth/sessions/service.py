"""Sessions: begun by a sign-in, kept alive by refresh tokens, ended by people or by a replayed token.

refresh(token)   current               rotate: one conditional write; the pair is new
                 rotated < 10 s ago    the pair that the rotation returned, byte for byte
                 rotated before        a replay: all sessions of the person end
"""

import re
from dataclasses import dataclass, replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.attributes import Value
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, update_operation
from callmissed.clock import SECOND, Micros, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.platform.tables import SESSIONS, TENANTS
from callmissed.sessions.authenticate import check_tenant
from callmissed.sessions.records import (
    Session,
    TokenRotation,
    list_sessions,
    session_key,
    session_of,
    session_record,
    token_attributes,
)
from callmissed.sessions.tokens import AccessClaims, AccessTokens
from callmissed.tenants.tenants import tenant_key, tenant_of
from callmissed.tenants.users import User, get_user, update_user, user_key, user_of
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.outlet import MailOutlet
from functions.auth.sessions.refresh_tokens import RefreshToken, RefreshTokens

LIFETIME = 7 * 24 * 3600 * SECOND
"""How long a refresh token is valid."""
GRACE = 10 * SECOND
"""How long a rotated token still gets the pair that it got."""
MAX_ROTATIONS = 20
"""Rotations within the grace period that a session remembers; a faster client has to wait."""

_TRIES = 10
_ID = re.compile(r"ses_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a sign-in or a refresh returns."""

    access: str
    refresh: str


class Sessions:
    """The sessions of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, access: AccessTokens, refresh: RefreshTokens, mails: MailOutlet) -> None:
        self._database = database
        self._access = access
        self._refresh = refresh
        self._mails = mails

    def begin(self, user: User, client: Actor, now: Micros) -> tuple[TokenPair, WriteOperation]:
        """The pair of a new session, and the operation that writes the session."""
        session_id = new_id("ses")
        token = self._refresh.first(user.tenant, user.user_id, session_id)
        session = Session(
            user_id=user.user_id,
            session_id=session_id,
            tenant=user.tenant,
            generation=user.generation,
            token=token.hash,
            turn=0,
            expires=Micros(now + LIFETIME),
            created_at=iso(now),
            ip_address=client.ip_address,
            user_agent=client.user_agent,
        )
        pair = TokenPair(self._issue(session, now), token.text)
        return pair, put_new_operation(SESSIONS, session_record(session))

    async def refresh(self, text: str, client: Actor, now: Micros) -> TokenPair:
        """The next pair. One read and one write. Raises ApiError 401, 403 for a tenant that is not active, 429."""
        token = self._refresh.parse(text)
        if token is None:
            raise _refused("Invalid refresh token")
        for _ in range(_TRIES):
            session, user = await self._read(token, now)
            if token.hash == session.token:
                if pair := await self._rotate(session, token, now):
                    return pair
                continue  # another request rotated it at the same time, and this one gets the same pair
            if pair := self._repeated(session, token, now):
                return pair
            if await self._end_all(user, session, client, now):
                raise _refused("Session has been revoked")
        raise ApiError(409, "conflict", "The session changed at the same time. Please retry.")

    async def sign_out(self, text: str, client: Actor, now: Micros) -> None:
        """End the session of a refresh token; nothing for a token of none, or of a session that has ended."""
        if token := self._refresh.parse(text):
            await self._end(token.tenant, token.session_id, replace(client, actor_id=token.user_id), now)

    async def of_user(self, user_id: str, now: Micros) -> list[Session]:
        """The person's sessions that are alive, newest first."""
        found = [session for session in await list_sessions(self._database, user_id) if session.expires > now]
        generation = max((session.generation for session in found), default=0)
        alive = [session for session in found if session.generation == generation]
        return sorted(alive, key=lambda session: (session.created_at, session.session_id), reverse=True)

    async def end_one(self, tenant: str, session_id: str, actor: Actor, now: Micros) -> None:
        """End a session of the acting person. Raises ApiError 404 for no session of this person."""
        if not _ID.fullmatch(session_id) or not await self._end(tenant, session_id, actor, now):
            raise ApiError(404, "not_found", "No such session.")

    async def end_others(self, tenant: str, session_id: str, actor: Actor, now: Micros) -> int:
        """End the acting person's sessions but `session_id`, in one step however many there are; returns how many.

        Raises ApiError 409 for a concurrent change.
        """
        alive = await self.of_user(actor.actor_id, now)
        others = [session for session in alive if session.session_id != session_id]
        if not others:
            return 0
        user = await get_user(self._database, tenant, actor.actor_id)
        event = AuditEvent(tenant, "session.end_others", "user", user.user_id, actor, {"sessions": len(others)})
        try:
            await self._database.transact([*end_all_but(session_id, user, now), audit_operation(event, now)])
        except TransactionCanceled:
            raise ApiError(409, "conflict", "The account changed at the same time. Please retry.") from None
        return len(others)

    async def _end(self, tenant: str, session_id: str, actor: Actor, now: Micros) -> bool:
        """End a session of the acting person; False when there is none. Raises Unavailable."""
        event = AuditEvent(tenant, "session.end", "session", session_id, actor)
        ended = delete_operation(SESSIONS, session_key(actor.actor_id, session_id))
        try:
            await self._database.transact([ended, audit_operation(event, now)])
        except TransactionCanceled:
            return False
        return True

    async def _read(self, token: RefreshToken, now: Micros) -> tuple[Session, User]:
        session_item, user_item, tenant_item = await self._database.get_across(
            (SESSIONS, session_key(token.user_id, token.session_id)),
            (TENANTS, user_key(token.tenant, token.user_id)),
            (TENANTS, tenant_key(token.tenant)),
        )
        if not user_item or not tenant_item:
            raise _refused("User not found")
        if not session_item:
            raise _refused("Session not found")
        session, user = session_of(session_item), user_of(user_item)
        if session.generation != user.generation or not user.is_active or session.expires <= now:
            raise _refused("Session has been revoked")
        check_tenant(tenant_of(tenant_item), user.role, while_inactive=True)
        return session, user

    async def _rotate(self, session: Session, token: RefreshToken, now: Micros) -> TokenPair | None:
        """The next pair; None after a concurrent change. Raises ApiError 429."""
        successor, recent = self._refresh.successors(token)[0], _recent(session, now)
        if len(recent) >= MAX_ROTATIONS:
            message = "The session was refreshed too often. Retry later."
            raise ApiError(429, "rate_limit_exceeded", message, headers={"Retry-After": "10"})
        rotation = TokenRotation(token.hash, successor.hash, now, self._access.current_key_id)
        after = replace(
            session,
            token=successor.hash,
            turn=successor.turn,
            expires=Micros(now + LIFETIME),
            rotations=(*recent, rotation),
        )
        key, unchanged = session_key(session.user_id, session.session_id), {"token": session.token}
        if await self._database.update_if(SESSIONS, key, set=token_attributes(after), expected=unchanged):
            return TokenPair(self._issue(session, now), successor.text)
        return None

    def _repeated(self, session: Session, token: RefreshToken, now: Micros) -> TokenPair | None:
        """The pair that `token` got when it was rotated, if that was less than ten seconds ago."""
        for rotation in _recent(session, now):
            if rotation.presented == token.hash:
                candidates = self._refresh.successors(token)
                successor = next((each for each in candidates if each.hash == rotation.successor), None)
                if successor:
                    return TokenPair(self._issue(session, rotation.at, rotation.key_id), successor.text)
        return None

    async def _end_all(self, user: User, session: Session, client: Actor, now: Micros) -> bool:
        """End all sessions of a person one of whose rotated tokens came again; False after a concurrent change."""
        event = AuditEvent(user.tenant, "session.replay", "session", session.session_id, client)
        ended = update_user(user, now, generation=user.generation + 1)
        try:
            await self._database.transact([ended, audit_operation(event, now)])
        except TransactionCanceled:
            return False
        await self._mails.report([MailJob("session_replay", user.email, {"full_name": user.full_name})])
        return True

    def _issue(self, session: Session, at: Micros, key_id: str | None = None) -> str:
        claims = AccessClaims(session.user_id, session.session_id, session.tenant)
        return self._access.issue(claims, at, key_id)


def end_all_but(session_id: str, user: User, now: Micros, **changes: Value) -> list[WriteOperation]:
    """End all sessions of the person but that one, and make `changes` of the person's item.

    The transaction with them fails if the person was changed or the session was ended meanwhile.
    """
    key, generation = session_key(user.user_id, session_id), user.generation + 1
    return [
        update_user(user, now, generation=generation, **changes),
        update_operation(SESSIONS, key, set={"generation": generation}, expected={"generation": user.generation}),
    ]


def _recent(session: Session, now: Micros) -> tuple[TokenRotation, ...]:
    return tuple(rotation for rotation in session.rotations if now - rotation.at < GRACE)


def _refused(message: str) -> ApiError:
    return ApiError(401, "invalid_refresh_token", message)
