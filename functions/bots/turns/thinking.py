"""The model's reply: a billed call of the tenant in this process, keyed so that a repetition costs nothing."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError
from callmissed.idempotency.store import Replay
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.payer import TenantPayer
from callmissed_ai.calls.pipeline import run
from callmissed_ai.calls.time_limit import within
from callmissed_ai.services import chat
from functions.bots.turns.reasons import Reason, reason_of

LOCK_SECONDS = 80
"""The key's lock ends before another worker may take the conversation's lease, and after this worker's time is over."""

_TRY_AGAIN = frozenset({"idempotency_in_progress", "service_unavailable"})


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model wrote, and the tokens of the call."""

    text: str
    tokens: int | None


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
        try:
            answer = await self._asked(tenant, turn_id, reads, body, seconds)
        except TimeoutError:
            raise NoReply(Reason.TIMEOUT) from None
        except ApiError as refused:
            if refused.code in _TRY_AGAIN:
                raise NotNow from refused
            raise NoReply(reason_of(refused)) from refused
        return _reply_of(answer)

    async def _asked(self, tenant: str, turn_id: str, reads: str, body: dict[str, Any], seconds: float) -> bytes:
        """The reply's body. The key has a space, which no caller's Idempotency-Key can have."""
        container, key = self.container, f"turn {turn_id} {reads}"
        size = len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))
        catalog = await container.router.catalog_for(body)
        work = container.router.prepared(chat.parse("openai_chat", catalog, body, size))
        call = new_call(container.clock, turn_id)
        fingerprint = hashlib.sha256(key.encode()).hexdigest()
        call.idempotent = IdempotentCall(container.idempotency, key, fingerprint, LOCK_SECONDS)
        answer = await within(seconds, call, run(container, call, TenantPayer(tenant), work, whole))
        return answer.body if isinstance(answer, Replay) else answer


def _reply_of(body: bytes) -> ModelReply:
    """The reply in a chat completion. Raises NoReply for an empty one."""
    completion: dict[str, Any] = json.loads(body)
    choices: list[dict[str, Any]] = completion.get("choices") or [{}]
    message: dict[str, Any] = choices[0].get("message") or {}
    text = message.get("content") or message.get("refusal")
    if not isinstance(text, str) or not text.strip():
        raise NoReply(Reason.EMPTY_REPLY)
    usage: dict[str, Any] = completion.get("usage") or {}
    tokens = usage.get("total_tokens")
    return ModelReply(text.strip(), tokens if isinstance(tokens, int) else None)
