"""The claim of a conversation: one message at a time goes to an end user.

A claim is set by one conditional write, which for a bot's message also requires that nobody took over meanwhile. The
request to Graph begins within `RELEASE_SECONDS` of it, and has a connection within `CONNECT_SECONDS` more or never
leaves. A claim that is older than `ABANDONED` belongs to a process that died: its message may have gone out.
"""

from dataclasses import dataclass
from typing import Any

from callmissed.aws.comparisons import equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.aws.operations import Changes
from callmissed.clock import MINUTE, Micros
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.records import (
    Claim,
    StoredConversation,
    change_mark,
    conversation_of,
    due_text,
    shard_of,
    to_claim,
    to_lease,
)
from functions.bots.outbound.drafts import Draft, Fence
from functions.bots.outbound.errors import ConversationBusy, LeaseLost, NewerInbound, NotSendable, TakenOver

RELEASE_SECONDS = 5.0
ABANDONED = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Claimed:
    """A conversation with our claim, as the claim's write left it."""

    conversation: StoredConversation
    claim: Claim


class Claims:
    """Claims of one stage's conversations. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(
        self, conversation: StoredConversation, draft: Draft, fence: Fence | None, now: Micros, *, queued: bool = False
    ) -> Claimed:
        """Claim the conversation for `draft`; a `queued` one is the first of those that wait. Raises NotSendable."""
        claim = Claim(draft.id, now, draft.by_bot)
        changes: Changes = {
            "set": {"claim": to_claim(claim)},
            "set_missing": {"shard": shard_of(conversation.id), "due": due_text(now)},
            "expected": _fenced(fence),
            "must_not_exist": ("claim",),
        }
        if not queued:
            changes["expected"] = {**_fenced(fence), "queued": missing_or(equal(0))}
        if draft.takes_over and not queued:
            changes["set"] = {
                "claim": to_claim(claim),
                "autoreply": False,
                "changed": change_mark(now, conversation.id),
            }
            changes["add"] = {"epoch": 1}
        return await self._write(conversation, claim, changes, fence)

    async def renew(self, claimed: Claimed, fence: Fence | None, now: Micros) -> Claimed:
        """Claim again for the same message, whose earlier claim was not used. Raises NotSendable."""
        claim = Claim(claimed.claim.message_id, now, claimed.claim.by_bot)
        fenced = _fenced(fence)
        fenced.pop("last_inbound", None)
        changes: Changes = {
            "set": {"claim": to_claim(claim)},
            "expected": {**fenced, "claim": to_claim(claimed.claim)},
        }
        return await self._write(claimed.conversation, claim, changes, fence)

    async def take_over(self, conversation: StoredConversation, now: Micros) -> None:
        """Let no message of a bot begin to leave from now on."""
        await self._database.update_if(
            CONVERSATIONS,
            conversation.key,
            set={"autoreply": False, "changed": change_mark(now, conversation.id)},
            add={"epoch": 1},
            expected={"autoreply": True},
        )

    async def _write(
        self, conversation: StoredConversation, claim: Claim, changes: Changes, fence: Fence | None
    ) -> Claimed:
        try:
            item = await self._database.update(CONVERSATIONS, conversation.key, **changes)
        except ConditionFailed as failed:
            found = conversation_of(failed.item) if failed.item else None
            if found and found.claim == claim and failed.indeterminate:
                return Claimed(found, claim)
            raise _reason(found, fence) from None
        return Claimed(conversation_of(item), claim)


def release_changes(
    claimed: Claimed, now: Micros, *, went_out: bool = False, unsettled: str | None = None, dequeued: int = 0
) -> Changes:
    """The changes that end a claim, for a transaction.

    A message that `went_out` is activity. `unsettled` is the message, if nobody knows whether it did; `dequeued` is 1
    for a message that waits no longer. What waits for nothing leaves the index `due`, on the condition that nothing
    waits at that moment; a caller whose condition fails writes the changes of the conversation as it is.
    """
    before = claimed.conversation
    activity = {"last_activity": max(now, before.last_activity)} if went_out else {}
    changes: Changes = {
        "set": {"changed": change_mark(now, before.id), **activity},
        "remove": ("claim",),
        "expected": {"claim": to_claim(claimed.claim)},
        "add": {"queued": -dequeued} if dequeued else {},
    }
    if unsettled:
        return changes | _unsettled_changes(changes, before, unsettled, now)
    if before.pending or before.queued > dequeued or before.unsettled or before.lease:
        return changes
    idle = {"pending": 0, "queued": 1 if dequeued else missing_or(equal(0))}
    return {
        **changes,
        "remove": ("claim", "shard", "due"),
        "expected": {**changes.get("expected", {}), **idle},
        "must_not_exist": ("lease", "unsettled"),
    }


def _unsettled_changes(changes: Changes, before: StoredConversation, message_id: str, now: Micros) -> Changes:
    """The message is settled when nothing is heard of it, so that the conversation stays due."""
    later = {} if before.pending or before.queued else {"due": due_text(Micros(now + MINUTE))}
    return {
        "set": {**changes.get("set", {}), "shard": shard_of(before.id), **later},
        "add": {**changes.get("add", {}), "unsettled": frozenset({message_id})},
    }


def _fenced(fence: Fence | None) -> dict[str, Any]:
    if fence is None:
        return {}
    same = {"last_inbound": fence.last_inbound} if fence.last_inbound else {}
    return {"lease": to_lease(fence.lease), "epoch": fence.epoch, "autoreply": True, "opted_out": False, **same}


def _reason(found: StoredConversation | None, fence: Fence | None) -> NotSendable:
    if found is None:
        return LeaseLost() if fence else ConversationBusy()
    if fence:
        if found.epoch != fence.epoch or not found.autoreply or found.opted_out:
            return TakenOver()
        if found.lease != fence.lease:
            return LeaseLost()
        if found.claim is None and not found.queued and found.last_inbound != fence.last_inbound:
            return NewerInbound()
    return ConversationBusy()
