"""The number that sends, and the conversation that a message goes to."""

from callmissed.clock import Micros
from callmissed.errors import ApiError, invalid_request
from functions.bots.channels.whatsapp.errors import FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphError, GraphRefused
from functions.bots.conversations.records import EndUser, StoredConversation
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import NumberRepository
from functions.bots.whatsapp.errors import graph_failed, no_conversation, unknown_conversation, unknown_number
from functions.bots.whatsapp.selectors import NewMessage, NumberSelector


class Recipients:
    """Numbers and conversations of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, numbers: NumberRepository, conversations: ConversationRepository) -> None:
        self._numbers = numbers
        self._conversations = conversations

    async def number(self, tenant: str, selector: NumberSelector) -> PhoneNumber:
        """The tenant's number. Raises ApiError 400 unless there is exactly one id, 404."""
        if (selector.phone_id is None) == (selector.phone_number_id is None):
            raise invalid_request("Exactly one of 'phone_id' and 'phone_number_id' is needed.", "phone_id")
        if selector.phone_id is not None:
            found = await self._numbers.find(tenant, str(selector.phone_id))
        else:
            found = await self._numbers.get(tenant, selector.phone_number_id or "")
        if found is None:
            raise unknown_number()
        return found

    async def numbered(self, tenant: str, number_id: str) -> PhoneNumber:
        """The tenant's number by Meta's id. Raises ApiError 404."""
        found = await self._numbers.get(tenant, number_id)
        if found is None:
            raise unknown_number()
        return found

    async def conversation(self, number: PhoneNumber, message: NewMessage) -> StoredConversation:
        """The user's latest conversation with the number, also where the message names an earlier one.

        Raises ApiError 404, and 422 where there is none.
        """
        named = await self._named(number, message)
        user = named.user if named else EndUser(wa_id=message.wa_id, user_id=message.recipient)
        latest = await self._conversations.latest_of(number.tenant, number.number_id, user) or named
        if latest is None:
            raise no_conversation()
        return latest

    async def since(self, latest: StoredConversation, begun: Micros) -> list[StoredConversation]:
        """The conversations that the end user has had since `begun`, the `latest` first."""
        found = [latest]
        while found[-1].created >= begun and found[-1].previous:
            before = await self._conversations.get(latest.tenant, found[-1].previous)
            if before is None:
                break
            found.append(before)
        return found

    async def failed(self, number: PhoneNumber, error: GraphError) -> ApiError:
        """The error of a request of the number, which is disconnected from then on if Graph refused its token."""
        if isinstance(error, GraphRefused) and error.fault.meaning is FaultMeaning.TOKEN:
            await self._numbers.disconnect(number, error.fault.code)
        return graph_failed(error)

    async def _named(self, number: PhoneNumber, message: NewMessage) -> StoredConversation | None:
        if message.conversation_id is None:
            return None
        found = await self._conversations.get(number.tenant, str(message.conversation_id))
        if found is None or found.number_id != number.number_id:
            raise unknown_conversation()
        return found
