"""Billed calls without HTTP."""

import json
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import Call, new_call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import Payer
from callmissed_ai.calls.pipeline import Answer, run
from callmissed_ai.services import chat
from callmissed_ai.work import Work
from tests.support.inference.wire import HELLO


def chat_work(container: Container, **fields: Any) -> Work:
    """The work of `HELLO` with `fields` changed."""
    body = {**HELLO, **fields}
    return container.router.prepared(chat.parse("openai_chat", container.catalog, body, len(json.dumps(body))))


async def run_chat(container: Container, payer: Payer, answer: Answer[Any] = whole, **fields: Any) -> tuple[Any, Call]:
    """What a chat call of `payer` gives, and the call."""
    call = new_call(container.clock)
    return await run(container, call, payer, chat_work(container, **fields), answer), call


async def refusal_of(container: Container, payer: Payer, **fields: Any) -> tuple[int, str]:
    """Status and code with which a chat call of `payer` is refused."""
    try:
        await run_chat(container, payer, **fields)
    except ApiError as refused:
        return refused.status, refused.code
    raise AssertionError("the call was served")
