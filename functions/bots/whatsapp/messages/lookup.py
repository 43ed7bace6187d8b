"""Messages by WhatsApp's own id, and read receipts."""

from callmissed.aws.database import Database
from callmissed.platform.tables import MESSAGES, MESSAGES_BY_WAMID
from callmissed.sealing import Sealer
from functions.bots.channels.whatsapp.graph import GraphClient, GraphError
from functions.bots.channels.whatsapp.sends import mark_read
from functions.bots.conversations.messages import StoredMessage, message_of, wamid_key
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.whatsapp.errors import refused_number, unknown_message
from functions.bots.whatsapp.recipients import Recipients


class MessageLookup:
    """Messages of one stage by wamid. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(
        self,
        database: Database,
        conversations: ConversationRepository,
        recipients: Recipients,
        graph: GraphClient,
        sealer: Sealer,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._recipients = recipients
        self._graph = graph
        self._sealer = sealer

    async def get(self, tenant: str, wamid: str) -> StoredMessage:
        """The tenant's message. The index lags a moment behind. Raises ApiError 404."""
        found = self._database.query(MESSAGES, wamid_key(tenant, wamid), index=MESSAGES_BY_WAMID, limit=1)
        async for entry in found:
            item = await self._database.get(MESSAGES, {"thread": entry["thread"], "item": entry["item"]})
            if item:
                return message_of(item)
        raise unknown_message()

    async def mark_read(self, tenant: str, wamid: str, *, typing: bool) -> None:
        """Show the user that the message was read. Raises ApiError 404 for what no user wrote, and Meta's errors."""
        message = await self.get(tenant, wamid)
        conversation = await self._conversations.get(tenant, message.conversation_id)
        if not message.is_inbound or conversation is None:
            raise unknown_message()
        number = await self._recipients.numbered(tenant, conversation.number_id)
        if not number.is_connected:
            raise refused_number()
        try:
            token = self._sealer.unseal(number.token)
            await mark_read(self._graph, number.number_id, token, wamid, typing=typing)
        except GraphError as error:
            raise await self._recipients.failed(number, error) from None
