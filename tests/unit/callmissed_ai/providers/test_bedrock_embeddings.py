"""Embedding models on Bedrock: the documented requests and replies, many texts at once, and what they cost."""

import asyncio
import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed_ai.services.embeddings import parse
from callmissed_ai.transports.base import UpstreamCall, UpstreamTimedOut, UpstreamUnreachable
from callmissed_ai.transports.native import native_api
from tests.support.inference.native_searches import FOLDER
from tests.support.inference.recorded_transport import RecordedReply, RecordedTransport, body_of

API = native_api("bedrock_embeddings")
CATALOG = load_catalog()
COHERE, TITAN = "cohere.embed-multilingual-v3", "amazon.titan-embed-text-v2:0"
CASES: Sequence[Mapping[str, Any]] = tomllib.loads((FOLDER / "bedrock_embeddings.toml").read_text())["cases"]


def header(tokens: int) -> Mapping[str, str]:
    return {"x-amzn-bedrock-input-token-count": str(tokens)}


def titan(tokens: int | None = 1, status: int = 200) -> RecordedReply:
    return RecordedReply(b'{"embedding":[0.5]}', status, header(tokens) if tokens is not None else {})


async def reply_to(http: RecordedTransport, **fields: Any) -> Any:
    call = UpstreamCall("/embeddings", {"model": TITAN, "input": "Hello", **fields})
    return json.loads(await body_of(await API.transport(http).send(call, 30)))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_call_becomes_the_documented_requests_and_one_reply(case: Mapping[str, Any]) -> None:
    replies = iter(
        [
            RecordedReply(body.encode(), headers=header(tokens))
            for body, tokens in zip(case["replies"], case["tokens"], strict=True)
        ]
    )
    http = RecordedTransport(lambda _call: next(replies))
    call = UpstreamCall("/embeddings", json.loads(case["call"]))

    API.check(call)
    reply = json.loads(await body_of(await API.transport(http).send(call, 30)))

    assert {sent.path for sent in http.calls} == {case["path"]}
    assert [sent.json for sent in http.calls] == [json.loads(request) for request in case["requests"]]
    assert reply == json.loads(case["expected"])
    assert all(sent.closed for sent in http.replies)


@pytest.mark.parametrize(("count", "sizes"), [(96, [96]), (97, [96, 1]), (128, [96, 32])])
async def test_cohere_gets_as_many_texts_as_it_takes(count: int, sizes: list[int]) -> None:
    http = RecordedTransport(
        lambda call: RecordedReply(json.dumps({"embeddings": [[1.0] for _ in call.json["texts"]]}).encode())
    )

    reply = await reply_to(http, model=COHERE, input=[str(number) for number in range(count)])

    assert [len(call.json["texts"]) for call in http.calls] == sizes
    assert [each["index"] for each in reply["data"]] == list(range(count))
    assert "usage" not in reply


async def test_few_requests_are_under_way_at_once() -> None:
    under_way, most = 0, 0

    class Busy(RecordedTransport):
        async def send(self, call: UpstreamCall, deadline_seconds: float) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return await super().send(call, deadline_seconds)

    reply = await reply_to(Busy(lambda _call: titan()), input=["text"] * 40)

    assert (most, len(reply["data"]), reply["usage"]["prompt_tokens"]) == (8, 40, 40)


async def test_refusal_of_one_text_is_the_calls_and_no_more_are_sent() -> None:
    http = RecordedTransport(lambda call: titan(status=429 if call.json["inputText"] == "3" else 200))
    call = UpstreamCall("/embeddings", {"model": TITAN, "input": [str(number) for number in range(40)]})

    reply = await API.transport(http).send(call, 30)

    assert (reply.status, len(http.calls)) == (429, 8)


async def test_call_is_unreachable_where_one_of_its_requests_is() -> None:
    def answer(call: UpstreamCall) -> RecordedReply:
        if call.json["inputText"] == "3":
            raise UpstreamUnreachable("reset")
        return titan()

    with pytest.raises(UpstreamUnreachable):
        await reply_to(RecordedTransport(answer), input=["1", "2", "3"])


async def test_call_ends_with_its_deadline() -> None:
    class Hanging(RecordedTransport):
        async def send(self, call: UpstreamCall, deadline_seconds: float) -> Any:
            await asyncio.Event().wait()

    with pytest.raises(UpstreamTimedOut):
        await API.transport(Hanging(lambda _call: titan())).send(
            UpstreamCall("/embeddings", {"model": TITAN, "input": "a"}), 0
        )


@pytest.mark.parametrize("body", [b"<html>", b'{"embedding":[0.5'])
async def test_reply_that_is_no_json_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamUnreachable):
        await reply_to(RecordedTransport(lambda _call: RecordedReply(body)))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.sampled_from(["titan", "cohere"]))
async def test_bill_is_the_sum_of_what_was_counted_and_at_most_the_hold(counts: list[int], maker: str) -> None:
    model = "titan-embed-text-v2" if maker == "titan" else "cohere-embed-multilingual-v3"
    work = parse(CATALOG, {"model": model, "input": ["Hello"] * len(counts)}, 0)
    route, price = work.model.routes[0], work.model.price
    left = iter(counts)
    total = sum(counts)
    http = RecordedTransport(
        lambda call: (
            titan(next(left))
            if maker == "titan"
            else RecordedReply(
                json.dumps({"embeddings": [[1.0]] * len(call.json["texts"])}).encode(), 200, header(total)
            )
        )
    )
    meter = work.meter(work.model, route)
    meter.feed(await body_of(await API.transport(http).send(work.request_for(work.model, route), 30)))
    meter.end()

    charges = await meter.charges()

    assert price
    assert meter.finished
    assert (charges.estimated, charges.lines[0].quantity) == (False, total)
    assert charges.cost == (total * price.input + 500_000) // 1_000_000
    assert charges.cost <= work.estimate


async def test_tokens_that_nobody_counted_are_estimated() -> None:
    work = parse(CATALOG, {"model": "titan-embed-text-v2", "input": ["Hello", "there"]}, 0)
    counts = iter([3, None])
    http = RecordedTransport(lambda _call: titan(next(counts)))
    meter = work.meter(work.model, work.model.routes[0])
    meter.feed(await body_of(await API.transport(http).send(work.request_for(work.model, work.model.routes[0]), 30)))
    meter.end()

    assert (await meter.charges()).estimated
