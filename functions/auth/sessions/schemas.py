"""API models of sessions; docs/api/openapi.json is made from them."""

from typing import Self

from pydantic import BaseModel

from callmissed.sessions.records import Session


class SessionOut(BaseModel):
    """Where a person is signed in."""

    id: str
    user_agent: str
    ip: str
    created_at: str
    is_current: bool

    @classmethod
    def of(cls, session: Session, current: str) -> Self:
        """The session; `current` is the id of the caller's own."""
        return cls(
            id=session.session_id,
            user_agent=session.user_agent,
            ip=session.ip_address,
            created_at=session.created_at,
            is_current=session.session_id == current,
        )


class SessionEnded(BaseModel):
    """A session was ended."""

    detail: str


class SessionsEnded(BaseModel):
    """Sessions were ended, `revoked` of them."""

    detail: str
    revoked: int
