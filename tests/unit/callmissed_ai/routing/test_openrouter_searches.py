"""OpenRouter charges for searching the web beside the tokens: no request may cause a search."""

from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import DialectName
from callmissed.errors import ApiError
from callmissed_ai.routing.openrouter_list import is_listable, model_of, read_list
from callmissed_ai.services import chat

CLAUDE = "anthropic/claude-listed-7"
PRICING = {"prompt": "0.000003", "completion": "0.000015", "web_search": "0.01"}
HELLO = {"role": "user", "content": "Hello"}
BODIES: dict[DialectName, dict[str, Any]] = {
    "openai_chat": {"messages": [HELLO]},
    "anthropic_messages": {"messages": [HELLO], "max_tokens": 100},
    "openai_responses": {"input": [HELLO]},
}
FUNCTION: dict[str, Any] = {"name": "f", "parameters": {}}


def listed(model_id: str, **pricing: Any) -> Any:
    """What is kept of an entry of the list; None for one that can't be billed."""
    entry = {
        "id": model_id,
        "context_length": 200_000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": PRICING | pricing,
    }
    return read_list({"data": [entry, {"id": "a/b"}]}).get(model_id)


CATALOG = load_catalog().with_models({CLAUDE: model_of(listed(CLAUDE))})


def refused(dialect: DialectName, fields: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        work = chat.parse(dialect, CATALOG, {"model": CLAUDE, **BODIES[dialect], **fields}, 1_000)
        (model,) = work.models
        work.request_for(model, model.routes[0])
    return caught.value


@pytest.mark.parametrize(
    "model_id",
    [
        CLAUDE,
        "google/gemini-9-pro",
        "openai/gpt-9",
        "openai/o3",
        "x-ai/grok-9",
    ],
)
def test_model_that_searches_when_it_is_asked_is_billed_by_the_token(model_id: str) -> None:
    assert listed(model_id) is not None


@pytest.mark.parametrize(
    "model_id",
    [
        "perplexity/sonar",
        "perplexity/sonar-pro-search",
        "perplexity/sonar-deep-research",
        "openai/gpt-4o-search-preview",
        "openai/o4-mini-deep-research",
        "x-ai/grok-4.20-multi-agent",
        "acme/gpt-9",
    ],
)
def test_model_that_may_search_unasked_is_not_served(model_id: str) -> None:
    assert listed(model_id) is None


@pytest.mark.parametrize("price", ["-1", "?", "1", True, [], {}])
def test_price_of_searches_in_doubt_is_no_price(price: Any) -> None:
    assert listed(CLAUDE, web_search=price) is None


@pytest.mark.parametrize("model_id", [f"{CLAUDE}:online", f"{CLAUDE}:free:online", f"{CLAUDE}:online:nitro"])
@pytest.mark.parametrize("dialect", BODIES)
def test_suffix_that_searches_names_no_model(dialect: DialectName, model_id: str) -> None:
    assert not is_listable(model_id)
    for fields in ({"model": model_id}, {"model": CLAUDE, "models": [model_id]}):
        assert refused(dialect, fields).status in (400, 404)


@pytest.mark.parametrize("model_id", ["@preset/search", f"{CLAUDE}@preset/search", "openrouter/auto", "openrouter/web"])
@pytest.mark.parametrize("dialect", BODIES)
def test_preset_and_router_that_may_search_name_no_model(dialect: DialectName, model_id: str) -> None:
    assert not is_listable(model_id)
    assert refused(dialect, {"model": model_id}).status in (400, 404)


ANYWHERE: list[dict[str, Any]] = [
    {"plugins": [{"id": "web"}]},
    {"plugins": [{"id": "web", "enabled": False}]},
    {"plugins": [{"id": "fusion"}]},
    {"plugins": {"id": "web"}},
    {"web_search_options": {}},
    {"web_search_options": {"search_context_size": "low"}},
    {"web_search": True},
    {"web_search": {}},
    {"search_parameters": {"mode": "on"}},
    {"enable_search": True},
    {"preset": "search"},
    {"extra_body": {"plugins": [{"id": "web"}]}},
    {"provider": {"plugins": [{"id": "web"}]}},
]
TOOLS = (
    *("openrouter:web_search", "openrouter:web_fetch", "openrouter:anything", "web_search", "web_search_preview"),
    *("web_search_2025_08_26", "web_search_20250305", "web_search_20260209", "web_fetch_20250910", "x_search"),
    *("google_search", "live_search", "mcp"),
)


@pytest.mark.parametrize("fields", ANYWHERE, ids=str)
@pytest.mark.parametrize("dialect", BODIES)
def test_field_that_searches_is_refused(dialect: DialectName, fields: dict[str, Any]) -> None:
    assert refused(dialect, fields).status == 400


@pytest.mark.parametrize("kind", TOOLS)
@pytest.mark.parametrize("dialect", BODIES)
def test_tool_that_searches_is_refused(dialect: DialectName, kind: str) -> None:
    beside = (
        {"type": "function", "function": FUNCTION} if dialect == "openai_chat" else {"type": "function", **FUNCTION}
    )
    tools: list[dict[str, Any]] = [{"type": kind, "name": "web_search"}]
    if dialect != "anthropic_messages":
        tools.insert(0, beside)
        assert refused(dialect, {"tools": [beside], "tool_choice": {"type": kind}}).status == 400

    assert refused(dialect, {"tools": tools}).status == 400


def test_conversation_with_a_search_is_refused() -> None:
    call = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}

    assert refused("openai_responses", {"input": [HELLO, call]}).status == 400
    assert refused("openai_responses", {"prompt": {"id": "pmpt_1"}}).status == 400
    assert refused("anthropic_messages", {"messages": [HELLO, {"role": "assistant", "content": [use]}]}).status == 400
