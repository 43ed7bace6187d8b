"""An upstream that goes in the midst of its reply, at any byte of the wire: a legal end for the caller, and its bill.

A sample of the bytes is cut, another one for each pair of dialects; all of them by `make soak NAME=cuts`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, get_args

import pytest
import pytest_asyncio

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import DialectName, UpstreamDialectName
from callmissed.ledger.entries import Outcome
from callmissed_ai.calls.container import Container
from callmissed_ai.charges import OUTPUT_TOKENS
from callmissed_ai.tokens import counting
from tests.support.inference.billed_replies import UPSTREAMS, Spent
from tests.support.inference.cut_upstream import Cut, CutUpstream, Ending, Framing, body_on_wire
from tests.support.inference.gateway import providers_toml
from tests.support.inference.sdk_readers import sdk_reads
from tests.support.inference.served_calls import Ended, containing, served_call

MODELS: Mapping[UpstreamDialectName, str] = {
    "openai_chat": "lab-chat",
    "anthropic_messages": "claude-chat",
    "openai_responses": "gpt-chat",
    "bedrock_converse": "converse-chat",
}
CALLERS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
PAIRS = [(caller, upstream) for caller in CALLERS for upstream in MODELS]
WAYS: list[tuple[Framing, Ending]] = [(way, end) for way in get_args(Framing) for end in get_args(Ending)]
STRIDE = int(os.environ.get("CUT_STRIDE", "0"))
SAMPLE = 2
"""Cuts of each pair and way where there is no stride."""

SPENT = Spent(11, 0, 0, 7)
COST = 11 * 50 + 7 * 150
STREAMS = {f"stream_{name}": upstream.events(SPENT) for name, upstream in UPSTREAMS.items()}
WHOLES = {f"whole_{name}": [json.dumps(upstream.whole(SPENT)).encode()] for name, upstream in UPSTREAMS.items()}
REPLIES = {**STREAMS, **WHOLES}
REPORTED_FIRST: Mapping[UpstreamDialectName, int] = {"anthropic_messages": 1}
"""Output tokens that a stream reports before its text, which is counted on top."""

AT_ONCE = 24


@pytest.fixture(scope="module")
def cut_upstream() -> Iterator[CutUpstream]:
    with CutUpstream(REPLIES).serving() as upstream:
        yield upstream


@pytest_asyncio.fixture
async def container(cut_upstream: CutUpstream) -> AsyncIterator[Container]:
    made = containing(load_catalog(providers_toml(cut_upstream.port, 1)))
    yield made
    await made.close()


def cuts(reply: str, pair: int) -> list[Cut]:
    """The cuts of one reply; `pair` moves the sample."""
    found: list[Cut] = []
    for number, (framing, ending) in enumerate(WAYS):
        length = len(body_on_wire(REPLIES[reply], framing))
        stride = STRIDE or length // SAMPLE
        places = [*range((7 * pair + 31 * number) % stride, length, stride), length]
        found += [Cut(reply, framing, ending, at) for at in places]
    return found


async def called(container: Container, caller: DialectName, upstream: UpstreamDialectName, cut: Cut) -> Ended:
    asks: dict[str, Any] = {"messages": [{"role": "user", "content": cut.asked}], "max_tokens": 50}
    if caller == "openai_responses":
        asks = {"input": cut.asked, "max_output_tokens": 50}
    return await served_call(
        container, caller, {"model": MODELS[upstream], "stream": cut.reply.startswith("stream"), **asks}
    )


async def ends(
    container: Container, caller: DialectName, upstream: UpstreamDialectName, kind: str
) -> list[tuple[Cut, Ended]]:
    """Every cut with how its call ended."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def ended(cut: Cut) -> tuple[Cut, Ended]:
        async with slots:
            return cut, await called(container, caller, upstream, cut)

    return await asyncio.gather(*map(ended, cuts(f"{kind}_{upstream}", PAIRS.index((caller, upstream)))))


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
async def test_stream_that_is_cut_ends_as_its_dialect_has_it_and_costs_what_arrived(
    container: Container, caller: DialectName, upstream: UpstreamDialectName
) -> None:
    texts: set[str] = set()
    for cut, ended in await ends(container, caller, upstream, "stream"):
        if ended.refused:
            assert (ended.refused.status, ended.refused.code) == (503, "provider_error"), cut
            assert (ended.settlement.settled, ended.settlement.given_up) == ([], 1), cut
            continue
        text, complete = sdk_reads(caller, ended.body)
        texts.add(text)
        ((outcome, charges),) = ended.settlement.settled
        assert (ended.settlement.given_up, outcome is Outcome.COMPLETED) == (0, complete), cut
        counted = sum(line.quantity for line in charges.lines if line.unit == OUTPUT_TOKENS)
        if charges.estimated:
            assert counted == REPORTED_FIRST.get(upstream, 0) + counting.count_text(text), cut
        else:
            assert charges.cost == COST, cut
        if cut.at == len(body_on_wire(REPLIES[cut.reply], cut.framing)):
            assert (complete, charges.estimated) == (True, False), cut
    full = max(texts, key=len)
    assert all(full.startswith(text) for text in texts)


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
async def test_whole_reply_that_is_cut_costs_nothing(
    container: Container, caller: DialectName, upstream: UpstreamDialectName
) -> None:
    for cut, ended in await ends(container, caller, upstream, "whole"):
        if ended.refused:
            assert ended.refused.status in (502, 503), cut
            assert (ended.settlement.settled, ended.settlement.given_up) == ([], 1), cut
            continue
        ((outcome, charges),) = ended.settlement.settled
        assert (outcome, charges.cost, charges.estimated) == (Outcome.COMPLETED, COST, False), cut
        assert json.loads(ended.body)
