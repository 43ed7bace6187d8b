"""Retries and hang-ups of the official SDKs of responses and messages: one charge for what was delivered."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anthropic
import openai
import pytest
from aiohttp import web

from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros, system_clock
from callmissed_ai.charges import OUTPUT_TOKENS
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.tokens import counting
from local.aws.tables import StageTables
from tests.support.inference.behaviours import DONE, Behaviour, reply, streams
from tests.support.inference.gateway import REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.messages import message, message_stream
from tests.support.inference.responses import response, response_stream
from tests.support.inference.upstream import FakeUpstream, Gate, Received, eventually, until

COST = 11 * 50 + 7 * 150
KEYED = {"Idempotency-Key": "sdk-4712"}
HELLO: Any = [{"role": "user", "content": "Hello"}]
ERROR = {"error": {"message": "No", "type": "server_error"}}


@dataclass(frozen=True)
class Client:
    """An SDK against the gateway: a call that returns its text, and a stream; `unavailable` is its error for a 503.

    `events` are the upstream's, which report `reported_first` output tokens before the text.
    """

    call: Callable[..., str]
    stream: Callable[..., Any]
    whole: Behaviour
    events: tuple[bytes, ...]
    unavailable: str
    reported_first: int = 0

    def events_with_text(self, words: int) -> tuple[bytes, ...]:
        """The upstream's events up to that delta of text."""
        deltas = [
            number for number, event in enumerate(self.events) if b"text_delta" in event or b"text.delta" in event
        ]
        return self.events[: deltas[words - 1] + 1]


def responses_client(url: str, account: Account, retries: int, seconds: float = 20) -> Client:
    sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=account.secret, max_retries=retries, timeout=seconds)
    asked: Any = {"model": "gpt-chat", "input": "Hello", "max_output_tokens": 50}
    return Client(
        lambda **more: sdk.responses.create(**asked, **more).output_text,
        lambda **more: sdk.responses.create(**asked, stream=True, **more),
        reply(response()),
        tuple(response_stream(response())),
        "InternalServerError",
    )


def messages_client(url: str, account: Account, retries: int, seconds: float = 20) -> Client:
    sdk = anthropic.Anthropic(base_url=url, api_key=account.secret, max_retries=retries, timeout=seconds)
    asked: Any = {"model": "claude-chat", "messages": HELLO, "max_tokens": 50}
    return Client(
        lambda **more: sdk.messages.create(**asked, **more).content[0].text,
        lambda **more: sdk.messages.create(**asked, stream=True, **more),
        reply(message()),
        tuple(message_stream(message())),
        "OverloadedError",
        reported_first=1,
    )


class MakeClient(Protocol):
    """Makes a client that retries so often and waits so long for an answer."""

    def __call__(self, url: str, account: Account, retries: int, seconds: float = 20) -> Client:
        """See above."""
        ...


CLIENTS: Mapping[str, MakeClient] = {
    "responses": responses_client,
    "messages": messages_client,
}
clients = pytest.mark.parametrize("made", CLIENTS.values(), ids=CLIENTS)


class Waits:
    """The waits that the SDKs ask for between their tries. They return at once, and the clock of health moves."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def clock(self) -> Micros:
        return Micros(system_clock() + round(sum(self.taken) * SECOND))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    found = Waits()

    def sleep_for_retry(sdk: Any, *, retries_taken: int, max_retries: int, options: Any, response: Any) -> None:
        headers = response.headers if response is not None else None
        found.taken.append(sdk._calculate_retry_timeout(max_retries - retries_taken, options, headers))

    for sdk in (openai.OpenAI, anthropic.Anthropic):
        monkeypatch.setattr(sdk, "_sleep_for_retry", sleep_for_retry)
    return found


@pytest.fixture
def url(store: StageTables, providers_file: Path, waits: Waits) -> Iterator[str]:
    """A gateway that remembers failures, and none yet."""
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    health = RouteHealth(waits.clock)
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb, health=health) as gateway:
        yield gateway.url


def fails(status: int, after: str | None) -> Behaviour:
    return reply(ERROR, status, {"Retry-After": after} if after else None)


@clients
@pytest.mark.parametrize(
    ("status", "after", "tries", "waited"),
    [(429, None, 2, 5.0), (500, "30", 2, 5.0), (503, "1", 2, 5.0), (529, "30", 1, 30.0)],
)
async def test_retry_of_the_sdk_succeeds_and_is_charged_once(
    url: str,
    accounts: Accounts,
    upstream: FakeUpstream,
    waits: Waits,
    made: MakeClient,
    status: int,
    after: str | None,
    tries: int,
    waited: float,
) -> None:
    account = await accounts.account()
    client = made(url, account, 2)
    upstream.will(*[fails(status, after)] * tries, client.whole)

    said = [await asyncio.to_thread(client.call, extra_headers=KEYED) for _ in range(2)]

    assert said == ["Hello there"] * 2
    assert waits.taken == [waited]
    assert len(upstream.requests) == tries + 1
    assert await accounts.assert_balanced(account) == COST


@clients
async def test_sdk_that_does_not_retry_raises_its_own_error(
    url: str, accounts: Accounts, upstream: FakeUpstream, made: MakeClient
) -> None:
    account = await accounts.account()
    client = made(url, account, 0)
    upstream.will(fails(500, None), fails(500, None))

    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as raised:
        await asyncio.to_thread(client.call)

    assert type(raised.value).__name__ == client.unavailable
    await accounts.assert_untouched(account)


@clients
async def test_retry_of_a_call_that_took_too_long_gets_its_answer_and_is_charged_once(
    url: str, accounts: Accounts, upstream: FakeUpstream, waits: Waits, made: MakeClient
) -> None:
    account, gate = await accounts.account(), Gate()
    client = made(url, account, 8, seconds=0.5)

    async def answer(request: web.Request, received: Received) -> web.StreamResponse:
        await gate.pass_through()
        return await client.whole(request, received)

    upstream.will(answer)
    calling = asyncio.ensure_future(asyncio.to_thread(client.call, extra_headers=KEYED))
    await until(lambda: len(waits.taken) >= 2)  # one after the time-out, one after 409
    gate.open()
    await eventually(accounts.is_settled, account)

    assert await calling == "Hello there"
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == COST


@clients
@pytest.mark.parametrize("words", [1, 2])
async def test_hang_up_costs_what_was_written_and_closes_the_upstream(
    url: str, accounts: Accounts, upstream: FakeUpstream, made: MakeClient, words: int
) -> None:
    account = await accounts.account()
    client = made(url, account, 2)
    upstream.will(streams([*client.events_with_text(words), Gate(), DONE]))

    text = await asyncio.to_thread(read_and_leave, client, words)

    await until(upstream.only.cut.is_set)
    await eventually(accounts.is_settled, account)
    usage = (await accounts.entry(account.tenant))["usage"]
    written = sum(line["quantity"] for line in usage["lines"] if line["unit"] == OUTPUT_TOKENS)
    assert (usage["outcome"], written) == ("client_closed", client.reported_first + counting.count_text(text))
    assert await accounts.assert_balanced(account) > 0


def read_and_leave(client: Client, words: int) -> str:
    """The text of so many deltas, after which the caller hangs up."""
    texts: list[str] = []
    with client.stream() as events:
        while len(texts) < words:
            event = next(events)
            if event.type in ("content_block_delta", "response.output_text.delta"):
                texts.append(event.delta if isinstance(event.delta, str) else event.delta.text)
    return "".join(texts)
