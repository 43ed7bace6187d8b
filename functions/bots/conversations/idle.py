"""How a conversation in which nothing waits leaves the index `due`."""

from callmissed.aws.comparisons import equal, missing_or
from callmissed.aws.operations import Changes
from functions.bots.conversations.records import StoredConversation


def leaving_due(conversation: StoredConversation, changes: Changes) -> Changes:
    """`changes` after which no inbound message waits, so that the conversation is due no longer.

    It stays due for a turn that is to be ended, and a message that waits, is being sent or may have gone out. The
    condition is that there is still none of these.
    """
    if conversation.is_busy:
        return changes
    return {
        **changes,
        "remove": (*changes.get("remove", ()), "due", "shard"),
        "expected": {**changes.get("expected", {}), "queued": missing_or(equal(0))},
        "must_not_exist": (*changes.get("must_not_exist", ()), "claim", "lease", "unsettled"),
    }
