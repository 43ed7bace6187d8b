"""The routes: phones, faults, tokens, media, and what was sent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from pydantic import ValidationError

from local.fakes.graph.accounts import NUMBER_ID, PHONE_PAGE
from local.fakes.graph.admin.phone_actions import ACTIONS, PhoneMessage, shown
from local.fakes.graph.errors import JsonObject
from local.fakes.graph.faults import Fault
from local.fakes.graph.phones import PhoneError, PhoneUser

if TYPE_CHECKING:
    from local.fakes.graph.fake import FakeGraph

MAX_WAIT_SECONDS = 25.0
_POLL_SECONDS = 0.03
_PAGE = Path(__file__).with_name("phone.html")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
_NAMES = ("127.0.0.1", "localhost")

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminRoutes:
    """Handlers over one stand-in."""

    def __init__(self, graph: "FakeGraph") -> None:
        self._graph = graph

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        phone = "/_graph/phones/{phone}"
        for method, path, handle in (
            ("GET", PHONE_PAGE, _page),
            ("GET", "/_graph/numbers", self._numbers),
            ("GET", "/_graph/sent", self._sent),
            ("GET", "/_graph/faults", self._faults),
            ("POST", "/_graph/faults", self._set_fault),
            ("DELETE", "/_graph/faults", self._clear_faults),
            ("POST", "/_graph/tokens/{action:revoke|restore}", self._token),
            ("POST", "/_graph/media/{id}/expire", self._expire),
            ("GET", f"{phone}/messages", self._chat),
            ("POST", f"{phone}/messages", self._write),
            ("POST", f"{phone}/{{action}}", self._act),
        ):
            app.router.add_route(method, path, _guarded(handle))

    async def _numbers(self, _request: web.Request) -> web.Response:
        accounts = self._graph.state.accounts.values()
        numbers = [
            {"waba_id": account.waba_id, **number.node()} for account in accounts for number in account.numbers.values()
        ]
        return web.json_response({"numbers": numbers})

    async def _sent(self, _request: web.Request) -> web.Response:
        sent = [{**shown(entry), "number_id": entry.number_id, "request": entry.request} for entry in self._graph.sent]
        return web.json_response({"sent": sent})

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": self._graph.faults})

    async def _set_fault(self, request: web.Request) -> web.Response:
        fault = Fault.model_validate(await _body(request))
        self._graph.state.faults.add(fault)
        return web.json_response(fault.model_dump(mode="json"), status=201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._graph.clear_faults()
        return web.Response(status=204)

    async def _token(self, request: web.Request) -> web.Response:
        secret = str((await _body(request)).get("access_token", ""))
        if secret not in self._graph.state.tokens:
            raise PhoneError("No such access token.")
        change = {"revoke": self._graph.revoke_token, "restore": self._graph.restore_token}
        change[request.match_info["action"]](secret)
        return web.Response(status=204)

    async def _expire(self, request: web.Request) -> web.Response:
        media_id = request.match_info["id"]
        if media_id not in self._graph.state.media:
            raise PhoneError("No such media.")
        self._graph.expire_media(media_id)
        return web.Response(status=204)

    async def _chat(self, request: web.Request) -> web.Response:
        """The messages that changed after the revision `after`; waits up to `wait` seconds for the first one."""
        phone, query = self._phone(request), request.query
        after, wait = int(query.get("after", "0")), float(query.get("wait", "0"))
        end = asyncio.get_running_loop().time() + min(wait, MAX_WAIT_SECONDS)
        while self._graph.state.revision <= after and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  threads
            await asyncio.sleep(_POLL_SECONDS)
        revision = self._graph.state.revision
        messages = [shown(entry) for entry in phone.chat if entry.revision > after]
        typing = phone.number_id in phone.user.typing
        user: JsonObject = {"wa_id": phone.user.wa_id, "user_id": phone.user.bsuid, "name": phone.user.name}
        return web.json_response({"revision": revision, "typing": typing, "user": user, "messages": messages})

    async def _write(self, request: web.Request) -> web.Response:
        message = PhoneMessage.model_validate(await _body(request))
        return web.json_response({"wamid": message.send_from(self._phone(request))}, status=201)

    async def _act(self, request: web.Request) -> web.Response:
        action = ACTIONS.get(request.match_info["action"])
        if action is None:
            raise PhoneError(f"A phone can {', '.join(ACTIONS)}.")
        phone = self._phone(request)
        action(phone, await _body(request))
        return web.json_response({"wa_id": phone.user.wa_id, "user_id": phone.user.bsuid})

    def _phone(self, request: web.Request) -> PhoneUser:
        """The phone that the path and the parameters `number` and `name` choose. Raises PhoneError."""
        digits = request.match_info["phone"].lstrip("+")
        number_id = request.query.get("number") or NUMBER_ID
        if not digits.isdecimal() or not 5 <= len(digits) <= 20:
            raise PhoneError("A phone has 5 to 20 digits.")
        if not any(number_id in account.numbers for account in self._graph.state.accounts.values()):
            raise PhoneError(f"There is no number {number_id}; GET /_graph/numbers lists them.")
        return self._graph.phone(digits, name=request.query.get("name", ""), number_id=number_id)


def _guarded(handle: _Answer) -> _Answer:
    """`handle`, for programs and for the stand-in's own page; mistakes are 400 with a reason."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        name = request.host.rpartition(":")[0] or request.host
        own = request.headers.get("Origin", f"http://{request.host}") == f"http://{request.host}"
        if name not in _NAMES or not own:
            return _refused(403, "The stand-in takes no orders from web pages.")
        try:
            return await handle(request)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            return _refused(400, f"{place}: {first['msg']}" if place else first["msg"])
        except (PhoneError, ValueError) as error:
            return _refused(400, str(error))

    return guarded


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status)


async def _body(request: web.Request) -> JsonObject:
    """The JSON object that was sent; empty without a body. Raises ValueError."""
    if not request.can_read_body:
        return {}
    try:
        parsed: Any = json.loads(await request.read())
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ValueError("The body is no JSON object.")
    return cast("JsonObject", parsed)


async def _page(_request: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return web.Response(text=_PAGE.read_text(), content_type="text/html", headers=headers)
