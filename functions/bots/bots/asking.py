"""Asking a model: a billed call of the tenant in this process, keyed so that a repetition costs nothing."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from callmissed.idempotency.store import Replay
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.payer import TenantPayer
from callmissed_ai.calls.pipeline import run
from callmissed_ai.calls.time_limit import within
from callmissed_ai.services import chat


@dataclass(frozen=True, slots=True)
class AskingLimits:
    """How long a reply is waited for, and how long the call's key is locked."""

    seconds: float
    lock_seconds: int


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model wrote, and the tokens of the call."""

    text: str
    tokens: int | None


async def ask(
    container: Container, tenant: str, body: dict[str, Any], limits: AskingLimits, *, key: str, reference: str
) -> ModelReply | None:
    """The model's reply to the chat completion `body`; None for an empty one, which is charged too.

    The same `key` is charged once. It needs a space, which no caller's Idempotency-Key can have. The ledger entry has
    the `reference`. Raises ApiError, and TimeoutError; nothing is charged then.
    """
    size = len(json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass"))
    catalog = await container.router.catalog_for(body)
    work = container.router.prepared(chat.parse("openai_chat", catalog, body, size))
    call = new_call(container.clock, reference)
    fingerprint = hashlib.sha256(key.encode()).hexdigest()
    call.idempotent = IdempotentCall(container.idempotency, key, fingerprint, limits.lock_seconds)
    answer = await within(limits.seconds, call, run(container, call, TenantPayer(tenant), work, whole))
    return _reply_of(answer.body if isinstance(answer, Replay) else answer)


def _reply_of(body: bytes) -> ModelReply | None:
    completion: dict[str, Any] = json.loads(body)
    choices: list[dict[str, Any]] = completion.get("choices") or [{}]
    message: dict[str, Any] = choices[0].get("message") or {}
    text = message.get("content") or message.get("refusal")
    if not isinstance(text, str) or not text.strip():
        return None
    usage: dict[str, Any] = completion.get("usage") or {}
    tokens = usage.get("total_tokens")
    return ModelReply(text.strip(), tokens if isinstance(tokens, int) else None)
