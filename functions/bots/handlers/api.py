"""The function `bots`: the API of bots, of WhatsApp's numbers and messages, and of conversations."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI

from callmissed.aws.queues import Sending
from callmissed.aws.runtime import logs_failures, use_own_loop
from callmissed.aws.secrets import callback_environment
from callmissed.aws.start import prepare_start
from callmissed.clock import Clock, system_clock
from callmissed.integrations.repository import Integrations
from callmissed.integrations.verification import ProviderUrls, Verifier
from callmissed.web.app import create_api, state_of
from callmissed.web.idempotency import keyed_server
from callmissed.web.lambda_handler import LambdaHandler
from callmissed.web.request_context import RequestContextMiddleware
from functions.bots.bots import routes as bots
from functions.bots.bots.channel_check import ChannelCheck
from functions.bots.bots.repository import BotRepository
from functions.bots.bots.service import Bots
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.inbox import change_routes as conversation_changes
from functions.bots.inbox import routes as conversations
from functions.bots.inbox.changes import InboxChanges
from functions.bots.inbox.handoffs import Handoffs
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.search import MessageSearch
from functions.bots.inbox.service import Inbox
from functions.bots.numbers.repository import NumberRepository
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.queue import MessageQueue
from functions.bots.sealed_composition import SealedComposition, compose_sealed
from functions.bots.whatsapp import number_routes
from functions.bots.whatsapp.media import routes as media
from functions.bots.whatsapp.media.service import WhatsAppMedia
from functions.bots.whatsapp.messages import routes as messages
from functions.bots.whatsapp.messages.lookup import MessageLookup
from functions.bots.whatsapp.messages.service import WhatsAppMessages
from functions.bots.whatsapp.number_service import BotOfNumber, Numbers
from functions.bots.whatsapp.onboarding import NumberOnboarding
from functions.bots.whatsapp.recipients import Recipients
from functions.bots.whatsapp.signup import EmbeddedSignup, meta_app_of

prepare_start("anyio._backends._asyncio")

ROUTERS = (
    bots.router,
    number_routes.router,
    messages.router,
    messages.by_wamid,
    media.router,
    conversations.router,
    conversation_changes.router,
)


@dataclass(frozen=True, slots=True)
class BotsServices:
    """The services of one process, which routes find by name in the application's state."""

    bots: Bots
    channel_check: ChannelCheck
    numbers: Numbers
    onboarding: NumberOnboarding
    signup: EmbeddedSignup
    inbox: Inbox
    inbox_changes: InboxChanges
    handoffs: Handoffs
    message_search: MessageSearch
    messages: WhatsAppMessages
    message_lookup: MessageLookup
    media: WhatsAppMedia
    clock: Clock


def create_services(
    composition: SealedComposition, *, queue: Sending | None = None, clock: Clock = system_clock
) -> BotsServices:
    """The services of one process, none of which opens a connection before use.

    Raises ValueError without a sealing key.
    """
    settings, database, sealer = composition.settings, composition.database, composition.sealer
    numbers, stored_bots = NumberRepository(database), BotRepository(database)
    owned, linkable = Bots(stored_bots, numbers, sealer), BotOfNumber(stored_bots)
    graph, opened = composition.graph, ConversationRepository(database)
    onboarding = NumberOnboarding(graph, numbers, Integrations(database), linkable, sealer)
    stored = InboxRepository(database)
    inbox = Inbox(stored)
    changes = InboxChanges(inbox, TakeOvers(database, clock))
    recipients = Recipients(numbers, opened)
    attempts = SendAttempts(database, graph, sealer, clock=clock)
    urls = ProviderUrls(settings.graph_url, settings.twilio_url, settings.sarvam_url)
    return BotsServices(
        bots=owned,
        channel_check=ChannelCheck(owned, numbers, Verifier(composition.http, urls), sealer),
        numbers=Numbers(numbers, linkable),
        onboarding=onboarding,
        signup=EmbeddedSignup(graph, onboarding, lambda: meta_app_of(callback_environment(settings))),
        inbox=inbox,
        inbox_changes=changes,
        handoffs=Handoffs(stored, inbox, changes),
        message_search=MessageSearch(stored, inbox),
        messages=WhatsAppMessages(attempts, MessageQueue(attempts, queue or composition.turns), recipients),
        message_lookup=MessageLookup(database, opened, recipients, graph, sealer),
        media=WhatsAppMedia(database, opened, recipients, graph, sealer),
        clock=clock,
    )


def create_app(services: BotsServices) -> FastAPI:
    """The application over `services`."""
    return create_api("CallMissed bots", ROUTERS, **state_of(services))


def create_server(composition: SealedComposition, services: BotsServices) -> RequestContextMiddleware:
    """The served application, whose stored answers are sealed."""
    app = create_app(services)
    return keyed_server(app, composition.settings, composition.database, composition.sealer, services.clock)


@logs_failures("bots")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return _server()(event, context)


@cache
def _server() -> LambdaHandler:
    """Created at the first invocation, on its thread and loop."""
    composition = compose_sealed()
    server = create_server(composition, create_services(composition))
    use_own_loop()
    return LambdaHandler(server)
