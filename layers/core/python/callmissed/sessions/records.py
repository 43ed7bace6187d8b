"""Items of sessions: where a person is signed in.

user, session   keys
tenant          the person's tenant
generation      the person's when the session began; another one ends the session
token           SHA-256 of the current refresh token, `turn` counts the rotations
rotations       the latest rotations: SHA-256 of the token that was presented and of its successor, the moment, and
                the id of the key that signed the access token
expires, ttl    end of the refresh token: epoch microseconds, and seconds for DynamoDB
created_at, ip_address, user_agent   as people see them
"""

from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import SESSIONS

_DAY_SECONDS = 24 * 3600
TTL_SLACK_SECONDS = _DAY_SECONDS
"""How much later DynamoDB may delete a session than it ends, so that clocks of processes don't matter."""


@dataclass(frozen=True, slots=True)
class TokenRotation:
    """One exchange of a refresh token. Hashes are SHA-256 in hex; `key_id` signed the access token."""

    presented: str
    successor: str
    at: Micros
    key_id: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session. `token` is the SHA-256 of the current refresh token, `created_at` ISO 8601."""

    user_id: str
    session_id: str
    tenant: str
    generation: int
    token: str
    turn: int
    expires: Micros
    created_at: str
    ip_address: str
    user_agent: str
    rotations: tuple[TokenRotation, ...] = ()


def session_key(user_id: str, session_id: str) -> Item:
    """Key of a session's item."""
    return {"user": user_id, "session": session_id}


def session_of(item: Item) -> Session:
    """The session of an item."""
    return Session(
        user_id=item["user"],
        session_id=item["session"],
        tenant=item["tenant"],
        generation=item["generation"],
        token=item["token"],
        turn=item["turn"],
        expires=Micros(item["expires"]),
        created_at=item["created_at"],
        ip_address=item["ip_address"],
        user_agent=item["user_agent"],
        rotations=tuple(TokenRotation(*each) for each in item["rotations"]),
    )


def session_record(session: Session) -> Item:
    """The item of a session."""
    return {
        **session_key(session.user_id, session.session_id),
        "tenant": session.tenant,
        "generation": session.generation,
        "created_at": session.created_at,
        "ip_address": session.ip_address,
        "user_agent": session.user_agent,
        **token_attributes(session),
    }


def token_attributes(session: Session) -> Item:
    """The attributes that a rotation changes."""
    return {
        "token": session.token,
        "turn": session.turn,
        "expires": session.expires,
        "ttl": session.expires // SECOND + TTL_SLACK_SECONDS,
        "rotations": [[each.presented, each.successor, each.at, each.key_id] for each in session.rotations],
    }


async def list_sessions(database: Database, user_id: str) -> list[Session]:
    """All sessions of a person, also ended ones that DynamoDB has not deleted yet. Raises Unavailable."""
    return [session_of(item) async for item in database.query(SESSIONS, user_id, consistent=True)]
