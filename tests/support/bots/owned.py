"""A tenant with one of everything that the API of bots serves, and requests of its routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from callmissed.aws.attributes import Item
from callmissed.clock import iso
from callmissed.platform.routes import Role, Route
from callmissed.platform.tables import BOTS, CONVERSATIONS, MESSAGES, TENANTS
from callmissed.tenants.users import User, user_record
from functions.bots.conversations.messages import MessageState, StoredMessage, inbound_id, media_id, to_message_item
from functions.bots.conversations.records import EndUser, StoredConversation, change_mark, to_conversation_item
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import save_operation
from tests.support.bots.bots_api import NEW, NOW, BotsApi, BotTenant

PERSON = "usr_of_tests"
BODIES: Mapping[str, dict[str, Any]] = {
    "POST /api/v1/bots": NEW,
    "PUT /api/v1/bots/{bot_id}": {"name": "renamed"},
    "POST /api/v1/bots/validate-config": {"config": {}},
    "POST /api/v1/whatsapp/phone_numbers/{phone_id}/link-bot": {"bot_id": None},
    "POST /api/v1/whatsapp/phone_numbers/{phone_id}/autoreply": {"enabled": False},
    "PATCH /api/v1/conversations/{conversation_id}": {"labels": ["vip"]},
    "PUT /api/v1/conversations/{conversation_id}/status": {"status": "completed"},
    "POST /api/v1/conversations/{conversation_id}/autoreply": {"enabled": False},
    "POST /api/v1/handoffs/{conversation_id}/assign": {"user_id": PERSON},
}
"""Bodies without which a route would refuse the request before it looks for anything."""


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


@dataclass
class Owned:
    """A tenant's bot, number, conversation and message; `ids` are those of paths."""

    tenant: BotTenant
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def request(self, route: Route) -> dict[str, Any]:
        """A request of the route for what the tenant owns."""
        body = {} if route.method in ("GET", "DELETE") else {"json": BODIES.get(name_of(route), {})}
        return {"method": route.method, "path": route.path.replace("+}", "}").format(**self.ids), **body}


async def new_owned(api: BotsApi) -> Owned:
    """A new tenant with one of everything."""
    tenant = api.tenant()
    bot_id = (await tenant.bot())["id"]
    number = PhoneNumber(
        tenant=tenant.id,
        id=str(uuid4()),
        account_id=str(uuid4()),
        waba_id="1",
        number_id="1066",
        display_phone_number="+91 80000 00001",
        verified_name="Blue Kettle",
        token=api.composition.sealer.seal("EAAstandin"),
        created=NOW,
        bot_id=bot_id,
    )
    conversation_id = str(uuid4())
    conversation = StoredConversation(
        tenant=tenant.id,
        id=conversation_id,
        number_id=number.number_id,
        user=EndUser(wa_id="919800000001", name="Asha"),
        created=NOW,
        changed=change_mark(NOW, conversation_id),
        bot_id=bot_id,
        last_activity=NOW,
        last_inbound_at=NOW,
        unread=0,
    )
    wamid = f"wamid.{uuid4()}"
    message = StoredMessage(
        tenant=tenant.id,
        conversation_id=conversation_id,
        id=inbound_id(wamid, NOW, NOW),
        author="user",
        type="text",
        status=MessageState.RECEIVED,
        created=NOW,
        text="blue kettle",
        wamid=wamid,
    )
    await api.database.transact([save_operation(number, None)])
    await api.database.put(CONVERSATIONS, to_conversation_item(conversation))
    await api.database.put(MESSAGES, to_message_item(message))
    await TakeOvers(api.database, api.clock).escalate(tenant.id, conversation_id, "user_asked")
    await api.database.put(TENANTS, user_record(person(tenant.id)))
    ids = {
        "bot_id": bot_id,
        "phone_id": number.id,
        "conversation_id": conversation_id,
        "wamid": wamid,
        "media_id": media_id(conversation_id, message.id),
    }
    return Owned(tenant, ids)


def person(tenant: str) -> User:
    """Somebody of the tenant to whom conversations may be assigned."""
    moment = iso(NOW)
    return User(
        tenant=tenant,
        user_id=PERSON,
        email="asha@example.com",
        full_name="Asha",
        role=Role.AGENT,
        created_at=moment,
        updated_at=moment,
        confirmed=True,
    )


async def everything_of(api: BotsApi, owned: Owned) -> list[Item]:
    """All items of the tenant."""
    partitions = [
        (BOTS, owned.tenant.id),
        (CONVERSATIONS, owned.tenant.id),
        (MESSAGES, f"{owned.tenant.id}#{owned.ids['conversation_id']}"),
    ]
    return [item for table, key in partitions async for item in api.database.query(table, key, consistent=True)]
