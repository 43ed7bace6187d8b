"""CORS preflights. A preflight has no key, so it is answered from the index of all domain locks.

An origin without a locked key is refused: a key for browsers must name the origins from which it works.
https://fetch.spec.whatwg.org/#cors-preflight-fetch
"""

from starlette.requests import Request
from starlette.responses import Response

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import SECOND, Clock
from callmissed.errors import ApiError, service_unavailable
from callmissed.keys.domains import has_lock, page_origin, patterns_for

_REMEMBER = 60 * SECOND
_REMEMBERED_ORIGINS = 4096


class Preflights:
    """Answers preflights; caches an origin's answer for a minute."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[bool, int]] = {}

    async def answer(self, request: Request) -> Response:
        """204 for an origin to which a key is locked. Raises ApiError 403, 503."""
        sent = request.headers.getlist("origin")
        page = page_origin(sent[0], None) if len(sent) == 1 else None
        if page is None or not await self._is_locked(page):
            raise ApiError(
                403, "domain_not_allowed", "No API key is locked to this origin.", headers={"Vary": "Origin"}
            )
        headers = {
            "Access-Control-Allow-Origin": sent[0],
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
            "Access-Control-Allow-Headers": request.headers.get("access-control-request-headers", "authorization"),
            "Access-Control-Max-Age": "600",
            "Vary": "Origin, Access-Control-Request-Headers",
        }
        return Response(status_code=204, headers=headers)

    async def _is_locked(self, origin: str) -> bool:
        now = self._clock()
        locked, until = self._known.get(origin, (False, 0))
        if until > now:
            return locked
        locked = await self._look_up(origin)
        if len(self._known) >= _REMEMBERED_ORIGINS:
            self._known.clear()
        self._known[origin] = (locked, now + _REMEMBER)
        return locked

    async def _look_up(self, origin: str) -> bool:
        try:
            return await has_lock(self._database, patterns_for(origin))
        except Unavailable as error:
            raise service_unavailable() from error
