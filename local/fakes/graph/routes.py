"""The routes of Graph, with and without a version in the path."""

from typing import Any

from aiohttp import web

from local.fakes.graph.accounts import (
    ACCOUNT_FIELDS,
    NUMBER_FIELDS,
    GrantedToken,
    GraphAccount,
    GraphApp,
    selected,
)
from local.fakes.graph.delivery import CallbackSender
from local.fakes.graph.errors import (
    CALLBACK_FAILED,
    UNKNOWN_PATH,
    GraphRefusal,
    JsonObject,
    invalid_parameter,
    unknown_object,
)
from local.fakes.graph.media import CONTENT_PATH, MediaStore
from local.fakes.graph.requests import FaultyServing, GraphRequest, Handler, token_of
from local.fakes.graph.sending import Outbound
from local.fakes.graph.state import GraphState

_VERSIONS = ("", r"/{version:v\d+\.\d+}")
_PAGE = 25
_SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")
_PIN_DIGITS = 6


class GraphRoutes:
    """Handlers of Graph's routes. Each returns Graph's answer or raises GraphRefusal."""

    def __init__(self, state: GraphState, sender: CallbackSender, outbound: Outbound, media: MediaStore) -> None:
        self._state = state
        self._sender = sender
        self._outbound = outbound
        self._media = media

    def add_to(self, app: web.Application) -> None:
        """Register the routes, and Graph's answer to all other paths."""
        serving = FaultyServing(self._state)
        app.router.add_get(CONTENT_PATH, serving.handler("download", self._content))
        for version in _VERSIONS:
            for method, path, operation, handle in self._routes():
                app.router.add_route(method, version + path, serving.handler(operation, handle))
        app.router.add_route("*", "/{path:.*}", serving.handler("unknown", _unknown_path))

    def _routes(self) -> list[tuple[str, str, str, Handler]]:
        return [
            ("GET", "/debug_token", "token", self._debug_token),
            ("GET", "/oauth/access_token", "token", self._access_token),
            ("GET", "/{id}", "object", self._object),
            ("DELETE", "/{id}", "media", self._delete),
            ("GET", "/{id}/phone_numbers", "numbers", self._numbers),
            ("POST", "/{id}/messages", "messages", self._messages),
            ("POST", "/{id}/media", "upload", self._upload),
            ("POST", "/{id}/register", "register", self._register),
            ("POST", "/{id}/deregister", "register", self._deregister),
            ("POST", "/{id}/subscriptions", "subscribe", self._subscriptions),
            ("GET", "/{id}/subscribed_apps", "subscribe", self._subscribed_apps),
            ("POST", "/{id}/subscribed_apps", "subscribe", self._subscribe),
            ("DELETE", "/{id}/subscribed_apps", "subscribe", self._unsubscribe),
        ]

    async def _object(self, request: GraphRequest) -> web.Response:
        """GET /{id}: a number, an account or a medium."""
        granted, asked = self._token(request), request.query.get("fields", "")
        id = request.object_id
        if id in self._state.accounts:
            account = self._state.account(granted, id)
            return _answer(selected(account.node(), asked, ACCOUNT_FIELDS, "WhatsAppBusinessAccount"))
        if id in self._state.media:
            media = self._media.find(granted, id, request.query.get("phone_number_id"))
            return _answer(self._media.node(media))
        _, number = self._state.number(granted, id)
        return _answer(selected(number.node(), asked, NUMBER_FIELDS, "WhatsAppBusinessPhoneNumber"))

    async def _numbers(self, request: GraphRequest) -> web.Response:
        """GET /{waba_id}/phone_numbers, in pages."""
        account = self._state.account(self._token(request), request.object_id)
        query = request.query
        numbers = list(account.numbers.values())
        start = _after(query.get("after", ""), [number.number_id for number in numbers])
        limit = int(query["limit"]) if query.get("limit", "").isdecimal() else _PAGE
        page = numbers[start : start + max(1, limit)]
        kind = "WhatsAppBusinessPhoneNumber"
        data = [selected(number.node(), query.get("fields", ""), NUMBER_FIELDS, kind) for number in page]
        paging: JsonObject = {}
        if page:
            paging["cursors"] = {"before": page[0].number_id, "after": page[-1].number_id}
        if start + len(page) < len(numbers):
            next_url = request.web.url.update_query(after=page[-1].number_id, limit=str(limit))
            paging["next"] = str(next_url)
        return _answer({"data": data} | ({"paging": paging} if paging else {}))

    async def _messages(self, request: GraphRequest) -> web.Response:
        """POST /{phone_number_id}/messages: a message, or that one was read."""
        account, number = self._state.number(self._token(request), request.object_id, "POST")
        if number.status != "CONNECTED":
            raise GraphRefusal(133010, "Phone number is not registered on the WhatsApp Business Platform.")
        if request.body.get("status") == "read":
            return _answer(self._outbound.mark_read(number, request.body))
        return _answer(self._outbound.take(account, number, request.body))

    async def _upload(self, request: GraphRequest) -> web.Response:
        """POST /{phone_number_id}/media, as a form."""
        account, number = self._state.number(self._token(request), request.object_id, "POST")
        form: Any = await request.web.post()
        if form.get("messaging_product") != "whatsapp":
            raise invalid_parameter("The parameter messaging_product is required.")
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise invalid_parameter("The parameter file is required.")
        mime_type = str(form.get("type") or file.content_type)
        return _answer(self._media.upload(account, number, mime_type, file.file.read()))

    async def _content(self, request: GraphRequest) -> web.Response:
        """GET of a medium's URL."""
        media = self._media.content(self._token(request), request.query)
        if media is None:
            return web.Response(status=404, text="URL signature expired", content_type="text/plain")
        return web.Response(body=media.content, headers={"Content-Type": media.mime_type})

    async def _delete(self, request: GraphRequest) -> web.Response:
        """DELETE /{media_id}."""
        number_id = request.query.get("phone_number_id")
        media = self._media.find(self._token(request), request.object_id, number_id, "DELETE")
        return _answer(self._media.delete(media))

    async def _register(self, request: GraphRequest) -> web.Response:
        """POST /{phone_number_id}/register."""
        _, number = self._state.number(self._token(request), request.object_id, "POST")
        pin = request.parameter("pin")
        if request.body.get("messaging_product") != "whatsapp" or not (pin.isdecimal() and len(pin) == _PIN_DIGITS):
            raise invalid_parameter(f"Param pin must be {_PIN_DIGITS} digits, and messaging_product whatsapp.")
        number.status = "CONNECTED"
        return _answer({"success": True})

    async def _deregister(self, request: GraphRequest) -> web.Response:
        """POST /{phone_number_id}/deregister."""
        _, number = self._state.number(self._token(request), request.object_id, "POST")
        number.status = "DISCONNECTED"
        return _answer({"success": True})

    async def _subscriptions(self, request: GraphRequest) -> web.Response:
        """POST /{app_id}/subscriptions: the app's callback URL, which must return the challenge."""
        app = self._token(request).app
        if app.app_id != request.object_id:
            raise unknown_object("POST", request.object_id)
        url, verify_token = request.parameter("callback_url"), request.parameter("verify_token")
        await self._verify(url, verify_token)
        app.callback_url, app.verify_token = url, verify_token
        return _answer({"success": True})

    async def _subscribed_apps(self, request: GraphRequest) -> web.Response:
        """GET /{waba_id}/subscribed_apps."""
        account = self._state.account(self._token(request), request.object_id)
        return _answer({"data": [_subscription(account)] if account.subscribed else []})

    async def _subscribe(self, request: GraphRequest) -> web.Response:
        """POST /{waba_id}/subscribed_apps: callbacks go out, to another URL than the app's if one is named."""
        account = self._state.account(self._token(request), request.object_id, "POST")
        url = request.parameter("override_callback_uri")
        if url:
            await self._verify(url, request.parameter("verify_token"))
        account.override_url, account.subscribed = url, True
        return _answer({"success": True})

    async def _unsubscribe(self, request: GraphRequest) -> web.Response:
        """DELETE /{waba_id}/subscribed_apps."""
        account = self._state.account(self._token(request), request.object_id, "DELETE")
        account.subscribed = False
        return _answer({"success": True})

    async def _debug_token(self, request: GraphRequest) -> web.Response:
        """GET /debug_token: what a token may do."""
        self._token(request)
        granted = self._state.tokens.get(request.query.get("input_token", ""))
        if granted is None:
            error = {"code": 190, "message": "Malformed access token"}
            return _answer({"data": {"error": error, "is_valid": False, "scopes": []}})
        return _answer({"data": _token_data(granted)})

    async def _access_token(self, request: GraphRequest) -> web.Response:
        """GET /oauth/access_token: an app's token, or one for the code of an embedded sign-up."""
        query = request.query
        app = self._state.apps.get(query.get("client_id", ""))
        if app is None or query.get("client_secret") != app.secret:
            raise GraphRefusal(1, message="Error validating client secret.")
        if query.get("grant_type") == "client_credentials":
            return _answer({"access_token": f"{app.app_id}|{app.secret}", "token_type": "bearer"})
        waba_id = self._state.codes.pop(query.get("code", ""), None)
        if waba_id is None:
            raise GraphRefusal(100, subcode=36009, message="This authorization code has been used.")
        secret = f"EAA{self._state.new_id()}{self._state.new_trace()}"
        self._state.tokens[secret] = GrantedToken(app, {waba_id})
        return _answer({"access_token": secret, "token_type": "bearer"})

    async def _verify(self, url: str, verify_token: str) -> None:
        """Raises GraphRefusal unless `url` returns the challenge."""
        if not await self._sender.verifies(url, verify_token):
            text = "Callback verification failed: the URL did not return the challenge."
            raise GraphRefusal(CALLBACK_FAILED, message=f"(#{CALLBACK_FAILED}) {text}")

    def _token(self, request: GraphRequest) -> GrantedToken:
        return token_of(self._state, request.web)


async def _unknown_path(request: GraphRequest) -> web.Response:
    raise GraphRefusal(UNKNOWN_PATH, message=f"Unknown path components: {request.web.path}")


def _answer(body: JsonObject) -> web.Response:
    return web.json_response(body)


def _after(cursor: str, ids: list[str]) -> int:
    return ids.index(cursor) + 1 if cursor in ids else 0


def _subscription(account: GraphAccount) -> JsonObject:
    app: GraphApp = account.app
    link = f"https://www.facebook.com/games/?app_id={app.app_id}"
    data = {"link": link, "name": app.name, "id": app.app_id}
    override = {"override_callback_uri": account.override_url} if account.override_url else {}
    return {"whatsapp_business_api_data": data, **override}


def _token_data(granted: GrantedToken) -> JsonObject:
    targets = sorted(granted.wabas)
    return {
        "app_id": granted.app.app_id,
        "type": "SYSTEM_USER",
        "application": granted.app.name,
        "data_access_expires_at": 0,
        "expires_at": 0,
        "is_valid": not granted.revoked,
        "issued_at": 0,
        "scopes": [*_SCOPES, "public_profile"],
        "granular_scopes": [{"scope": scope, "target_ids": targets} for scope in _SCOPES],
        "user_id": granted.app.app_id,
    }
