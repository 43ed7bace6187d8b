"""A model server on loopback: one model, spoken to in each wire format under a path of its own.

It refuses what the vendors' APIs refuse, so that a translated request is held to their rules.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.model_server import bedrock, chat, messages, responses
from tests.support.model_server.brain import Prompt, Refused, Said, think
from tests.support.model_server.events import Answer
from tests.support.threads import background_loop

_logger = logging.getLogger("model_server")


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire format: how requests are read and replies written, and the provider's row that speaks it."""

    paths: Sequence[str]
    read: Callable[[Mapping[str, Any]], Prompt]
    whole: Callable[[Said, Prompt], Answer]
    streamed: Callable[[Said, Prompt], Answer]
    refused: Callable[[Refused], Answer]
    settings: str
    upstream_id: str = "upstream-model"


WIRES: Mapping[str, Wire] = {
    "chat": Wire(["/chat/completions"], chat.read, chat.whole, chat.streamed, chat.refused, 'dialect = "openai_chat"'),
    "messages": Wire(
        ["/messages"],
        messages.read,
        messages.whole,
        messages.streamed,
        messages.refused,
        'dialect = "anthropic_messages"\nauth = "x-api-key"\nheaders = { anthropic-version = "2023-06-01" }',
    ),
    "responses": Wire(
        ["/responses"],
        responses.read,
        responses.whole,
        responses.streamed,
        responses.refused,
        'dialect = "openai_responses"',
    ),
    "bedrock": Wire(
        ["/model/{model}/converse", "/model/{model}/converse-stream"],
        bedrock.read,
        bedrock.whole,
        bedrock.streamed,
        bedrock.refused,
        'dialect = "bedrock_converse"\nauth = "sigv4"',
        "eu.anthropic.claude-opus-4-6-v1",
    ),
}
"""Wire formats by the name of the model that is reached by each: `via-chat`, `via-messages`."""

_MODEL = """
[providers.via-{name}]
base_url = "http://127.0.0.1:{port}/{name}"
api_key_env = "MODEL_SERVER_KEY"
{settings}
[[models]]
id = "via-{name}"
provider = "via-{name}"
upstream_id = "{upstream_id}"
input = 50
output = 150
cached_input = 5
cache_write = 60
context_window = 128_000
supports_vision = true
supports_reasoning = true
"""


def providers_toml(port: int) -> str:
    """An operator's file with a model for each wire format."""
    return "".join(
        _MODEL.format(name=name, port=port, settings=wire.settings, upstream_id=wire.upstream_id)
        for name, wire in WIRES.items()
    )


@contextmanager
def model_server() -> Generator[int]:
    """The server, until the block ends; its port."""
    with background_loop() as run:
        runner, port = run(_start())
        try:
            yield port
        finally:
            run(runner.cleanup())


async def _start() -> tuple[web.AppRunner, int]:
    app = web.Application(client_max_size=2**26)
    for name, wire in WIRES.items():
        for path in wire.paths:
            app.router.add_post(f"/{name}{path}", _answering(wire))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


def _answering(wire: Wire) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            prompt = wire.read(body)
            said = think(prompt)
        except Refused as refusal:
            _logger.info("refused: %s", refusal.message)
            return await _sent(request, wire.refused(refusal))
        is_streamed = body.get("stream") or request.path.endswith("-stream")
        return await _sent(request, (wire.streamed if is_streamed else wire.whole)(said, prompt))

    return answer


async def _sent(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.body is not None:
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)
    response = web.StreamResponse(headers={"content-type": answer.content_type})
    await response.prepare(request)
    for event in answer.events:
        await response.write(event)
    return response
