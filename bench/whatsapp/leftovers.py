"""Everything that a soak leaves in the tables, and what the stand-in for Graph took."""

import json
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.idempotency.records import DONE, record_of
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.platform.tables import CONVERSATIONS, IDEMPOTENCY, LEDGER, MESSAGES, OUTBOX
from functions.bots.conversations.messages import MESSAGE, TURN, StoredMessage, StoredTurn, message_of, turn_of
from functions.bots.conversations.records import CONVERSATION, StoredConversation, conversation_of
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import ChatEntry


@dataclass(frozen=True, slots=True)
class Leftovers:
    """`replied` are the ids of the calls whose replies are stored, `announced` the wamids of `message.sent`."""

    conversations: list[StoredConversation]
    messages: list[StoredMessage]
    turns: list[StoredTurn]
    entries: list[LedgerEntry]
    replied: list[str]
    announced: list[str]
    taken: list[ChatEntry]

    @property
    def inbound(self) -> list[StoredMessage]:
        """The messages of end users."""
        return [message for message in self.messages if message.is_inbound]

    @property
    def outbound(self) -> list[StoredMessage]:
        """The messages of bots."""
        return [message for message in self.messages if not message.is_inbound]


async def collect(database: Database, graph: FakeGraph) -> Leftovers:
    """Read everything. The tables are the soak's alone."""
    conversations = [item async for item in database.scan(CONVERSATIONS)]
    stored = [item async for item in database.scan(MESSAGES)]
    records = [record_of(item) async for item in database.scan(IDEMPOTENCY)]
    return Leftovers(
        conversations=[conversation_of(item) for item in conversations if item["item"].startswith(CONVERSATION)],
        messages=[message_of(item) for item in stored if item["item"].startswith(MESSAGE)],
        turns=[turn_of(item) for item in stored if item["item"].startswith(TURN)],
        entries=[entry_of(item) async for item in database.scan(LEDGER)],
        replied=[record.call_id for record in records if record.state == DONE],
        announced=[
            json.loads(item["body"])["data"]["message_id"]
            async for item in database.scan(OUTBOX)
            if item["type"] == "message.sent"
        ],
        taken=graph.sent,
    )


async def any_waits(database: Database) -> bool:
    """Whether any conversation waits for work."""
    found = [item async for item in database.scan(CONVERSATIONS)]
    waiting = ("due", "lease", "claim", "unsettled")
    return any(name in item for item in found if item["item"].startswith(CONVERSATION) for name in waiting)
