"""ChatWorks: no outcome within the limits costs more than the estimate, over every price of the catalog."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category, Model
from callmissed.catalog.prices import token_price
from callmissed.money import MicroCredits
from callmissed_ai.charges import token_charges
from callmissed_ai.dialects.openai_chat.request import GATEWAY_FIELDS, LIMIT_FIELDS
from callmissed_ai.services.chat import DEFAULT_OUTPUT_TOKENS, parse
from callmissed_ai.services.conversations.models import MIN_OUTPUT_TOKENS
from callmissed_ai.services.conversations.work import ChatWork
from callmissed_ai.tokens.usage import TokenUsage

BUILT_IN = load_catalog()
CATALOG = Catalog(
    BUILT_IN.models,
    {name: replace(row, unpriced_fields=frozenset({"x_unknown"})) for name, row in BUILT_IN.providers.items()},
)
PRICED = [model for model in CATALOG.listed(Category.LLM) if model.price and not model.realtime]
SERVED = [model for model in PRICED if model.status == "live"]

models = st.sampled_from(SERVED)
amounts = st.integers(0, 10**12)
prices = st.builds(token_price, amounts, amounts, st.none() | amounts, st.none() | amounts)


def work_of(model: Model, **fields: Any) -> ChatWork:
    body = {"model": model.id, "messages": [{"role": "user", "content": "Hello"}], **fields}
    return parse("openai_chat", CATALOG, body, len(json.dumps(body)))


@st.composite
def works(draw: st.DrawFn) -> ChatWork:
    """A work of any size over one to three models, some of whose prices are any."""
    chosen = draw(st.lists(models, min_size=1, max_size=3))
    chosen = [replace(model, price=draw(st.just(model.price) | prices)) for model in chosen]
    work = work_of(chosen[0])
    asked = replace(work.request.asked, input_tokens=draw(st.integers(1, 4_200_000)), choices=draw(st.integers(1, 128)))
    return replace(
        work,
        request=replace(work.request, asked=asked),
        models=tuple(chosen),
        output_tokens=draw(st.integers(1, 200_000)),
        implicit_limit=draw(st.booleans()),
    )


@st.composite
def outcomes(draw: st.DrawFn, work: ChatWork) -> tuple[Model, TokenUsage]:
    """A model of the work, and usage that keeps to its limits."""
    model = draw(st.sampled_from(work.models))
    read = draw(
        st.integers(0, min(work.request.asked.input_tokens, model.context_window or work.request.asked.input_tokens))
    )
    written = draw(st.integers(0, work.output_tokens * work.request.asked.choices))
    cached = draw(st.integers(0, read))
    return model, TokenUsage(read, written, cached, cache_write=draw(st.integers(0, read - cached)))


def cost(model: Model, usage: TokenUsage) -> int:
    """What settlement charges."""
    return token_charges(model, usage).cost


@given(st.data(), works())
def test_no_outcome_costs_more_than_the_estimate(data: st.DataObject, work: ChatWork) -> None:
    assert cost(*data.draw(outcomes(work))) <= work.estimate


@pytest.mark.parametrize("model", SERVED, ids=lambda model: model.id)
def test_the_dearest_outcome_of_every_row_is_covered(model: Model) -> None:
    work = work_of(model)
    read = min(work.request.asked.input_tokens, model.context_window or work.request.asked.input_tokens)
    dearest = TokenUsage(read, work.output_tokens)

    assert 0 < cost(model, dearest) <= work.estimate
    assert cost(model, replace(dearest, cached=dearest.input)) <= work.estimate
    assert cost(model, replace(dearest, cache_write=dearest.input)) <= work.estimate


@given(works(), st.integers(0, 10**13))
def test_a_shortened_reply_is_affordable_and_no_longer_than_before(work: ChatWork, available: int) -> None:
    shorter = work.shorter(MicroCredits(available))

    if shorter is None:
        least = replace(work, output_tokens=min(MIN_OUTPUT_TOKENS, work.output_tokens))
        assert not work.implicit_limit or work.output_tokens <= MIN_OUTPUT_TOKENS or least.estimate > available
    else:
        assert shorter.estimate <= available
        assert MIN_OUTPUT_TOKENS <= shorter.output_tokens <= work.output_tokens
        assert replace(shorter, output_tokens=work.output_tokens) == work


@given(st.data(), works())
def test_a_shortened_reply_still_covers_every_outcome(data: st.DataObject, work: ChatWork) -> None:
    shorter = work.shorter(MicroCredits(data.draw(st.integers(0, work.estimate))))

    if shorter is not None:
        assert cost(*data.draw(outcomes(shorter))) <= shorter.estimate


LIMITS = {"anthropic_messages": "max_tokens", "openai_responses": "max_output_tokens"}
"""Field of the output limit in the dialects that a chat request is translated to."""


@pytest.mark.parametrize("model", SERVED, ids=lambda model: model.id)
@pytest.mark.parametrize("limits", [{}, {"max_tokens": 5}, {"max_completion_tokens": 7}], ids=str)
def test_the_upstream_gets_one_limit_which_the_plan_covers(model: Model, limits: dict[str, int]) -> None:
    fields: dict[str, Any] = {"models": [], "route": "fallback", "x_unknown": {"kept": True}}
    work = work_of(model, **limits, **fields)

    for route in model.routes:
        if name := LIMITS.get(work.request.dialects[route.provider]):
            translated = work_of(model, **limits)
            limit = translated.request_for(model, route).json[name]
            assert 0 < cost(model, TokenUsage(translated.request.asked.input_tokens, limit)) <= translated.estimate
            continue
        sent = work.request_for(model, route).json
        (limit,) = (sent[name] for name in LIMIT_FIELDS if name in sent)
        assert 0 < limit <= work.output_tokens
        assert model.output_limit_field in sent
        assert sent["model"] == route.upstream_id
        assert sent["x_unknown"] == {"kept": True}
        assert not GATEWAY_FIELDS & set(sent)


@pytest.mark.parametrize("model", SERVED, ids=lambda model: model.id)
def test_a_limit_of_ours_is_one_that_the_model_can_keep(model: Model) -> None:
    work = work_of(model)

    assert work.implicit_limit
    assert work.output_tokens == min(DEFAULT_OUTPUT_TOKENS, model.max_output_tokens)


@pytest.mark.parametrize(("asked", "sent"), [("minimal", "none"), ("low", "low"), ("none", "none"), ("high", "high")])
def test_reasoning_effort_is_translated_where_the_row_says_so(asked: str, sent: str) -> None:
    model = next(model for model in SERVED if (model.reasoning_efforts or {}).get(asked) == sent)

    assert work_of(model, reasoning_effort=asked).request_for(model, model.routes[0]).json["reasoning_effort"] == sent


def test_reasoning_effort_is_dropped_where_the_row_says_so() -> None:
    model = next(model for model in SERVED if (model.reasoning_efforts or {}).get("low") == "")

    assert "reasoning_effort" not in work_of(model, reasoning_effort="low").request_for(model, model.routes[0]).json
