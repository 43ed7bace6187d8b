"""The bill of a call is price times reported usage, for each dialect of a caller with each of an upstream."""

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import DialectName, ProviderRoute, UpstreamDialectName
from callmissed_ai.charges import OUTPUT_TOKENS, Charges
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import ChatWork
from callmissed_ai.tokens.counting import count_text
from callmissed_ai.work import Meter
from tests.support.inference.billed_replies import UPSTREAMS, Spent
from tests.support.inference.responses import response, written

PRICES = {"input": 7, "cached_input": 3, "cache_write": 11, "output": 13}
"""Credits per million tokens, so micro-credits per token."""

LIMIT = 5_000
PROVIDERS = "".join(
    f"""
[providers.{dialect}]
dialect = "{dialect}"
base_url = "http://127.0.0.1:1"

[[models]]
id = "of-{dialect}"
provider = "{dialect}"
upstream_id = "upstream"
context_window = 100000
max_output_tokens = {LIMIT}
input = {PRICES["input"]}
cached_input = {PRICES["cached_input"]}
cache_write = {PRICES["cache_write"]}
output = {PRICES["output"]}
"""
    for dialect in UPSTREAMS
)
CATALOG = load_catalog(PROVIDERS)
QUESTION = [{"role": "user", "content": "Hello " * 100}]
REQUESTS: Mapping[DialectName, Mapping[str, Any]] = {
    "openai_chat": {"messages": QUESTION, "max_tokens": LIMIT, "stream_options": {"include_usage": True}},
    "anthropic_messages": {"messages": QUESTION, "max_tokens": LIMIT},
    "openai_responses": {"input": QUESTION, "max_output_tokens": LIMIT},
}
PAIRS = [(caller, upstream) for caller in REQUESTS for upstream in UPSTREAMS]
pairs = pytest.mark.parametrize(("caller", "upstream"), PAIRS)

counts = st.integers(0, 300)
spendings = st.builds(Spent, counts, counts, counts, st.integers(1, LIMIT))


def work_of(caller: DialectName, upstream: UpstreamDialectName, *, stream: bool) -> ChatWork:
    body = {"model": f"of-{upstream}", "stream": stream, **REQUESTS[caller]}
    if not stream:
        body.pop("stream_options", None)
    return parse(caller, CATALOG, body, len(json.dumps(body)))


def meter_of(work: ChatWork) -> Meter:
    (model,) = work.models
    (route,) = model.routes
    assert isinstance(route, ProviderRoute)
    return work.meter(model, route)


def bill(spent: Spent) -> int:
    """The price list, read by hand: rounded half up once."""
    exact = Fraction(
        spent.fresh * PRICES["input"]
        + spent.cached * PRICES["cached_input"]
        + spent.written * PRICES["cache_write"]
        + spent.output * PRICES["output"]
    )
    return int(exact + Fraction(1, 2))


def fed(meter: Meter, pieces: Iterable[bytes]) -> bytes:
    return b"".join([meter.feed(piece) for piece in pieces])


async def charged(meter: Meter) -> Charges:
    return await meter.charges()


@pairs
@given(spent=spendings)
async def test_whole_reply_costs_its_reported_usage(
    caller: DialectName, upstream: UpstreamDialectName, spent: Spent
) -> None:
    work = work_of(caller, upstream, stream=False)
    meter = meter_of(work)
    meter.feed(json.dumps(UPSTREAMS[upstream].whole(spent)).encode())
    meter.end()

    charges = await charged(meter)

    assert meter.finished
    assert charges.cost == bill(spent)
    assert not charges.estimated
    assert charges.cost <= work.estimate


@pairs
@given(spent=spendings, data=st.data())
async def test_whole_stream_costs_its_reported_usage_however_it_is_cut(
    caller: DialectName, upstream: UpstreamDialectName, spent: Spent, data: st.DataObject
) -> None:
    meter = meter_of(work_of(caller, upstream, stream=True))
    body = b"".join(UPSTREAMS[upstream].events(spent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    fed(meter, [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)])
    if not meter.finished:
        meter.end()

    charges = await charged(meter)

    assert meter.finished
    assert charges.cost == bill(spent)
    assert not charges.estimated


@pairs
@given(spent=spendings, data=st.data())
async def test_broken_stream_and_hang_up_cost_what_was_reported_and_what_was_counted_since(
    caller: DialectName, upstream: UpstreamDialectName, spent: Spent, data: st.DataObject
) -> None:
    work = work_of(caller, upstream, stream=True)
    meter = meter_of(work)
    events = UPSTREAMS[upstream].events(spent)
    cut = data.draw(st.integers(0, len(events) - 1))
    fed(meter, events[:cut])
    if data.draw(st.booleans(), label="the body broke off, else the caller hung up"):
        meter.end()

    charges = await charged(meter)

    if cut > len(events) - UPSTREAMS[upstream].reports_last:
        assert (charges.cost, charges.estimated) == (bill(spent), False)
        return
    most = Spent(spent.fresh, spent.cached, spent.written, max(spent.output, count_text("Hello there, friend", LIMIT)))
    counted = work.request.caller.count(work.request.body, None)
    assert charges.cost <= max(bill(most), bill(Spent(counted, 0, 0, most.output)))
    assert charges.cost <= work.estimate


@pairs
async def test_usage_of_nothing_costs_nothing(caller: DialectName, upstream: UpstreamDialectName) -> None:
    nothing = Spent(0, 0, 0, 0)
    meter = meter_of(work_of(caller, upstream, stream=False))
    meter.feed(json.dumps(UPSTREAMS[upstream].whole(nothing)).encode())
    meter.end()
    assert (await charged(meter)).cost == 0


@pytest.mark.parametrize("caller", REQUESTS)
async def test_text_above_a_limit_that_was_raised_is_counted_up_to_the_hold(caller: DialectName) -> None:
    prompt = {name: REQUESTS[caller][name] for name in ("messages", "input") if name in REQUESTS[caller]}
    body = {**prompt, "model": "of-openai_responses", open_dialect(caller).limit_field: 5}
    work = parse(caller, CATALOG, body, len(json.dumps(body)))
    meter = meter_of(work)
    meter.feed(json.dumps(response(written({"type": "output_text", "text": "one two " * 50}), usage=None)).encode())
    meter.end()

    output = next(line.quantity for line in (await charged(meter)).lines if line.unit == OUTPUT_TOKENS)

    assert output == 16
