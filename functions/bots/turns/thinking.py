"""The model's reply: a billed call of the tenant in this process, keyed so that a repetition costs nothing."""

from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.calls.container import Container
from functions.bots.bots.asking import AskingLimits, ModelReply, ask
from functions.bots.conversations.reasons import Reason, reason_of

LOCK_SECONDS = 80
"""The key's lock ends before another worker may take the conversation's lease, and after this worker's time is over."""

_TRY_AGAIN = frozenset({"idempotency_in_progress", "service_unavailable"})


class NoReply(Exception):
    """The model gave no reply. Nothing was charged, but for an empty one."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class NotNow(Exception):
    """The turn can't go on now, and may soon. It fails for `reason` if it can't for too long.

    Such as: our own storage did not answer, or an earlier run of the same call goes on.
    """

    def __init__(self, reason: Reason = Reason.MODEL_UNAVAILABLE) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Thinker:
    """Asks models in the name of tenants."""

    container: Container

    async def reply(self, tenant: str, turn_id: str, reads: str, body: dict[str, Any], seconds: float) -> ModelReply:
        """The reply to `body`, which answers the messages up to `reads` in the turn. Raises NoReply, NotNow."""
        limits, key = AskingLimits(seconds, LOCK_SECONDS), f"turn {turn_id} {reads}"
        try:
            reply = await ask(self.container, tenant, body, limits, key=key, reference=turn_id)
        except TimeoutError:
            raise NoReply(Reason.TIMEOUT) from None
        except ApiError as refused:
            if refused.code in _TRY_AGAIN:
                raise NotNow from refused
            raise NoReply(reason_of(refused)) from refused
        if reply is None:
            raise NoReply(Reason.EMPTY_REPLY)
        return reply
