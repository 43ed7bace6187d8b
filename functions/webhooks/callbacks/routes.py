"""Routes that WhatsApp, Twilio and Cashfree call."""

from typing import Annotated, Any, cast
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from callmissed.aws.database import Database
from callmissed.aws.secrets import payment_environment, sealing_ring
from callmissed.clock import Clock, system_clock
from callmissed.errors import ApiError
from callmissed.integrations.repository import Integrations
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings
from callmissed.web.gateway_route import GatewayRoute
from functions.webhooks.callbacks.cashfree import SECRET, CashfreeCallbacks
from functions.webhooks.callbacks.receive import Callback, Verify, receive
from functions.webhooks.callbacks.signers import Signers
from functions.webhooks.callbacks.twilio import NO_BOT, Twilio
from functions.webhooks.callbacks.whatsapp.verification import WhatsApp

router = APIRouter(prefix="/api/v1", route_class=GatewayRoute)
_XML = "text/xml"


class Callbacks:
    """Dependencies of one process."""

    def __init__(self, settings: CoreSettings, database: Database, clock: Clock = system_clock) -> None:
        self.integrations = Integrations(database)
        signers = Signers(self.integrations, Sealer(sealing_ring(settings)), clock)
        self.whatsapp = WhatsApp(signers)
        self.twilio = Twilio(signers)
        secrets = payment_environment(settings)
        self.cashfree = CashfreeCallbacks(lambda newest: secrets.values(newest=newest).get(SECRET, ""))
        self._settings = settings
        self._database = database
        self._clock = clock

    async def receive(self, request: Request, verify: Verify) -> None:
        """Verify and record a request. Raises ApiError 401, 413, Unavailable."""
        callback = Callback(
            headers=dict(request.headers),
            body=await request.body(),
            urls=called_urls(request, self._settings.public_url),
            received=self._clock(),
        )
        await receive(self._database, verify, callback)


@router.get("/webhooks/whatsapp")
async def verify_subscription(
    request: Request,
    mode: Annotated[str, Query(alias="hub.mode", max_length=100)],
    token: Annotated[str, Query(alias="hub.verify_token", min_length=1, max_length=255)],
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=1000)],
) -> Response:
    """Meta verifies a subscription: the challenge is returned if a tenant chose the token."""
    known = mode == "subscribe" and await _callbacks(request).integrations.knows_verify_token(token)
    if not known:
        raise ApiError(403, "permission_denied", "The verify token is not known.")
    return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})


@router.post("/webhooks/whatsapp")
async def whatsapp(request: Request) -> Response:
    """Messages of end users, and statuses of messages to end users."""
    callbacks = _callbacks(request)
    await callbacks.receive(request, callbacks.whatsapp.verify)
    return Response()


@router.post("/webhooks/twilio/voice")
async def twilio_voice(request: Request) -> Response:
    """A call comes in; the answer says what Twilio does with it."""
    callbacks = _callbacks(request)
    await callbacks.receive(request, callbacks.twilio.verify_voice)
    return Response(NO_BOT, media_type=_XML)


@router.post("/webhooks/twilio/status")
async def twilio_status(request: Request) -> Response:
    """A call's status changed."""
    callbacks = _callbacks(request)
    await callbacks.receive(request, callbacks.twilio.verify_status)
    return Response(status_code=204)


@router.post("/payments/webhook")
async def cashfree(request: Request) -> Response:
    """A payment succeeded, failed or was abandoned."""
    callbacks = _callbacks(request)
    await callbacks.receive(request, callbacks.cashfree.verify)
    return Response()


def called_urls(request: Request, public_url: str) -> list[str]:
    """The URLs under which `request` may have been sent, from the settings and API Gateway's event.

    Values that the caller sends, such as `Host` or `X-Forwarded-Proto`, are not used, so `request.url` is not either.
    API Gateway passes on a query's parameters decoded, so a space in one may have been a plus or a percent sign.
    """
    path: str = request.scope["path"]
    event: dict[str, Any] = request.scope.get("aws.event") or {}
    context: dict[str, Any] = event.get("requestContext") or {}
    bases = [f"{public_url.rstrip('/')}{path}"] if public_url else []
    if domain := context.get("domainName"):
        bases.append(f"https://{domain}{context.get('path', path)}")
    return [f"{base}{query}" for base in bases for query in _queries(request)]


def _queries(request: Request) -> list[str]:
    raw = request.scope["query_string"].decode("latin-1")
    if not raw:
        return [""]
    pairs = request.query_params.multi_items()
    return [f"?{query}" for query in dict.fromkeys([raw, urlencode(pairs), urlencode(pairs, quote_via=quote)])]


def _callbacks(request: Request) -> Callbacks:
    return cast("Callbacks", request.app.state.callbacks)
