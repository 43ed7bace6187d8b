"""Conversations by id and by end user, and the end of what is due."""

from callmissed.aws.database import Database
from callmissed.aws.operations import Changes
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.idle import leaving_due
from functions.bots.conversations.records import (
    EndUser,
    KnownUser,
    StoredConversation,
    conversation_key,
    conversation_of,
    known_user_of,
    user_key,
)


class ConversationRepository:
    """The conversations of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, conversation_id: str) -> StoredConversation | None:
        """The conversation, strongly consistent."""
        item = await self._database.get(CONVERSATIONS, conversation_key(tenant, conversation_id))
        return conversation_of(item) if item else None

    async def leave_due(self, conversation: StoredConversation) -> None:
        """Take the conversation out of the index `due`, if nothing waits in it."""
        if conversation.due is None or conversation.is_busy:
            return
        nothing_pending: Changes = {
            "remove": ("pending_since",),
            "expected": {"due": conversation.due, "pending": 0},
        }
        await self._database.update_if(
            CONVERSATIONS,
            conversation.key,
            **leaving_due(conversation, nothing_pending),
        )

    async def known_user(self, tenant: str, number_id: str, user: EndUser) -> KnownUser | None:
        """What is known of the end user at a number, under one of the names; None for a stranger."""
        keys = [user_key(tenant, number_id, key) for key in user.keys]
        found = await self._database.get_all(CONVERSATIONS, keys)
        return known_user_of(found[0]) if found else None

    async def latest_of(self, tenant: str, number_id: str, user: EndUser) -> StoredConversation | None:
        """The end user's latest conversation at a number, open or not."""
        known = await self.known_user(tenant, number_id, user)
        return await self.get(tenant, known.conversation_id) if known else None
