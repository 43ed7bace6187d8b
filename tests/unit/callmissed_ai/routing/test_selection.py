"""What may serve a call: nothing is written or copied for a request that its first route can have as it is."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName, ProviderRoute, ProviderSettings
from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Thinking
from callmissed_ai.dialects.openai_responses.carriers import content_of
from callmissed_ai.routing.selection import servable
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import ChatWork

FOREIGN = Thinking("Hm", "c2ln")
HELLO = {"role": "user", "content": "Hello"}
REQUESTS: Mapping[DialectName, Mapping[str, Any]] = {
    "openai_chat": {"messages": [HELLO]},
    "anthropic_messages": {"messages": [HELLO], "max_tokens": 9_000},
    "openai_responses": {"input": [HELLO]},
}
ROWS = {name: ProviderSettings(name, name, "https://host.test/v1") for name in REQUESTS}


def work_of(caller: DialectName, *upstreams: DialectName, **fields: Any) -> ChatWork:
    routes = tuple(ProviderRoute(name, "upstream") for name in upstreams)
    model = replace(load_catalog().models["anthropic/claude-sonnet-4.6"], id="lab", routes=routes)
    body = {"model": "lab", **REQUESTS[caller], **fields}
    return parse(caller, Catalog({"lab": model}, ROWS), body, len(json.dumps(body)))


@pytest.mark.parametrize("caller", REQUESTS)
def test_work_stays_the_same_where_the_first_route_can_have_it(caller: DialectName) -> None:
    work = work_of(caller, caller)

    assert servable(work, lambda _provider: True) is work


def test_routes_before_the_first_that_can_have_the_request_are_left_out() -> None:
    work = work_of("openai_chat", "openai_responses", "openai_chat", stop=["x"])

    (model,) = servable(work, lambda _provider: True).models

    assert [route.provider for route in model.routes] == ["openai_chat"]


def test_request_that_its_own_dialect_refuses_is_refused_before_it_is_held_for() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": content_of(FOREIGN)}
    call = {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "a", "output": "sunny"}
    work = work_of("openai_responses", "openai_responses", input=[HELLO, thought, call, result])

    with pytest.raises(ApiError) as refused:
        servable(work, lambda _provider: True)

    assert refused.value.param == "input.1"
