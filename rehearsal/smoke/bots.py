"""A bot on WhatsApp, from its number to its answer: each function of conversations does its work once."""

import json
import secrets

from callmissed.events.types import MessageSent
from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from rehearsal.errors import SmokeError
from rehearsal.smoke.people import ApiCalls
from rehearsal.smoke.receiver import Receiver

_CALLBACKS = "/api/v1/webhooks/whatsapp"
_CONVERSATIONS = "/api/v1/conversations"
_WA_ID = "919800000001"


async def use_bots(caller: ApiCalls, url: str, receiver: Receiver, graph: FakeGraph) -> None:
    """Connect a number at the stand-in for Graph, let a customer ask, and answer as a person too."""
    wanted = {"name": "Bakery", "type": "whatsapp", "system_prompt": "You sell bread."}
    config = {"config": {"model": "sandbox", "quiet_seconds": 0}}
    bot = json.loads(await caller.call("POST", "/api/v1/bots", wanted | config, expected=201))
    number_id = await _connect(caller, url, graph, bot["id"])
    graph.phone(_WA_ID, name="Asha", number_id=number_id).say("When do you open?")
    await receiver.wait_for(MessageSent.event)
    listed = json.loads(await caller.call("GET", f"{_CONVERSATIONS}?bot_id={bot['id']}"))["data"]
    if len(listed) != 1:
        raise SmokeError(f"the bot has other conversations than one: {listed}")
    conversation = listed[0]
    path = f"{_CONVERSATIONS}/{conversation['id']}"
    messages = json.loads(await caller.call("GET", f"{path}/messages"))["data"]
    if len(messages) != 2:
        raise SmokeError(f"the conversation is not a question and its answer: {messages}")
    await caller.call("POST", f"{path}/autoreply", {"enabled": False})
    await caller.call("POST", f"{path}/ai-draft")
    body = {"phone_number_id": number_id, "to": _WA_ID, "text": "At nine."}
    await caller.call("POST", "/api/v1/whatsapp/messages", body)
    await receiver.wait_for(MessageSent.event, times=2)


async def _connect(caller: ApiCalls, url: str, graph: FakeGraph, bot_id: str) -> str:
    """Id of a number of its own, because a number belongs to one tenant."""
    number_id, waba_id, app_id = (str(secrets.randbits(48)) for _ in range(3))
    token, secret = secrets.token_hex(16), secrets.token_hex(16)
    app = GraphApp(secret, callback_url=url + _CALLBACKS, app_id=app_id)
    graph.add_account(app, waba_id, [GraphNumber(number_id)], token)
    proof = {"waba_id": waba_id, "phone_number_id": number_id, "access_token": token, "app_secret": secret}
    await caller.call("POST", "/api/v1/whatsapp/onboarding/manual", proof | {"bot_id": bot_id})
    return number_id
