"""OpenRouter's own list of models, read with suspicion: a model whose price is in doubt is not served at all.

https://openrouter.ai/docs/api-reference/list-available-models. Prices there are USD per token, as text. Ours are the
same amounts as credits, rounded up.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, NamedTuple, cast

from callmissed.catalog.model import OPENROUTER, Category, Model, ProviderRoute, routing_suffix
from callmissed.catalog.prices import token_price
from callmissed.money import CREDIT, CREDITS_PER_USD

MAX_MODELS = 5_000
_MICRO_CREDITS_PER_USD_A_TOKEN = CREDIT * CREDITS_PER_USD * 1_000_000
_MAX_USD_A_TOKEN = Decimal("0.01")
"""Over ten times the highest price there is."""

_MIN_PRICE = CREDIT // 10
"""0.001 USD per million tokens, a tenth of the lowest price there is: what costs less is a mistake, or meant as one."""

_MAX_TOKENS = 100_000_000
_SHARE_OF_WINDOW = 4
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}/[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_PRICED = frozenset({"prompt", "completion", "input_cache_read", "input_cache_write"})
_NOT_SENT = frozenset({"audio", "audio_output", "input_audio_cache"})
"""Prices of what no request may hold, and no reply."""

_SEARCH = "web_search"
_SEARCH_WHEN_ASKED = re.compile(r"(anthropic/claude|google/gemini|openai/gpt|x-ai/grok)-.+|openai/o\d.*")
"""Models whose makers offer searches as a tool. Others search by themselves, as all of Perplexity's do."""

_SEARCH_UNASKED = re.compile(r"search|multi-agent")
_SEARCHING_SUFFIX = ":online"


class Listed(NamedTuple):
    """What is kept of a model: prices in micro-credits per million tokens, 0 for none; limits; what it can do."""

    model_id: str
    input: int
    output: int
    cached_input: int
    cache_write: int
    context_window: int
    max_output_tokens: int
    abilities: str
    """`v` for vision, `t` for tools, `j` for JSON, `r` for reasoning."""


def is_listable(model_id: str) -> bool:
    """Whether `model_id` may be one of OpenRouter's: `maker/model`. Its own routers have no fixed price.

    Nor has a model that searches the web for each request.
    """
    is_priced = not model_id.startswith(f"{OPENROUTER}/") and _SEARCHING_SUFFIX not in model_id
    return is_priced and bool(_ID.fullmatch(model_id))


def read_list(document: object) -> Mapping[str, Listed | None]:
    """The models of the list by id; None for one that can't be billed. Raises ValueError for what is no list."""
    entries: Any = cast("dict[str, Any]", document).get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError("no list of models")
    found: dict[str, Listed | None] = {}
    for entry in cast("list[Any]", entries)[:MAX_MODELS]:
        model_id: Any = cast("dict[str, Any]", entry).get("id") if isinstance(entry, dict) else None
        if isinstance(model_id, str) and is_listable(model_id) and not routing_suffix(model_id):
            found[model_id] = None if model_id in found else _listed(model_id, cast("dict[str, Any]", entry))
    return found


def model_of(listed: Listed) -> Model:
    """The model, as the catalog would have it. OpenRouter may not serve it at a higher price than the listed one."""
    cached, written = (amount or None for amount in (listed.cached_input, listed.cache_write))
    return Model(
        id=listed.model_id,
        name=listed.model_id,
        category=Category.LLM,
        routes=(ProviderRoute(OPENROUTER, listed.model_id),),
        owned_by=listed.model_id.partition("/")[0],
        context_window=listed.context_window,
        max_output_tokens=listed.max_output_tokens,
        price=token_price(listed.input, listed.output, cached, written),
        price_capped=True,
        supports_vision="v" in listed.abilities,
        supports_tools="t" in listed.abilities,
        supports_json="j" in listed.abilities,
        supports_reasoning="r" in listed.abilities,
    )


def stored_rows(listed: Iterable[Listed | None]) -> Sequence[Sequence[object]]:
    """The models as JSON has them; without those that can't be billed."""
    return [list(each) for each in listed if each]


def read_rows(rows: object) -> Mapping[str, Listed]:
    """The models of `stored_rows`. Raises ValueError for anything else."""
    if not isinstance(rows, list):
        raise ValueError("no rows")
    try:
        found = [Listed(*row) for row in cast("list[Any]", rows)]
        found = [each for each in found if min(each.input, each.output) >= _MIN_PRICE]
    except TypeError as error:
        raise ValueError("no rows") from error
    return {each.model_id: each for each in found if is_listable(each.model_id)}


def _listed(model_id: str, entry: Mapping[str, Any]) -> Listed | None:
    prices, window = _prices(model_id, entry.get("pricing")), _tokens(entry.get("context_length"))
    architecture, top = _object(entry.get("architecture")), _object(entry.get("top_provider"))
    if prices is None or window is None or _texts(architecture.get("output_modalities"), "text") != {"text"}:
        return None
    most = min(window, _tokens(top.get("max_completion_tokens")) or max(1, window // _SHARE_OF_WINDOW))
    parameters = _texts(entry.get("supported_parameters"), "tools", "response_format", "reasoning")
    abilities = {
        "v": "image" in _texts(architecture.get("input_modalities"), "text"),
        "t": "tools" in parameters,
        "j": bool({"response_format", "structured_outputs"} & parameters),
        "r": "reasoning" in parameters,
    }
    return Listed(model_id, *prices, window, most, "".join(name for name, able in abilities.items() if able))


def _prices(model_id: str, pricing: object) -> tuple[int, int, int, int] | None:
    """Prices of input, output, cached input and written cache; None where something costs what we don't meter."""
    given = _object(pricing)
    amounts = {name: _amount(value) for name, value in given.items() if value is not None and name not in _NOT_SENT}
    if amounts.get("internal_reasoning") == amounts.get("completion"):
        amounts.pop("internal_reasoning", None)  # it is part of the output that the provider reports
    if amounts.get(_SEARCH) and _searches_when_asked(model_id):
        amounts.pop(_SEARCH)  # no request can ask for it
    if any(amount is None or (amount and name not in _PRICED) for name, amount in amounts.items()):
        return None
    prices = [amounts.get(name) or 0 for name in ("prompt", "completion", "input_cache_read", "input_cache_write")]
    read, written, cached, cache_write = prices
    if min(read, written) < _MIN_PRICE or cached > read:
        return None
    return read, written, cached, cache_write


def _searches_when_asked(model_id: str) -> bool:
    """Whether a search has to be asked for. What asks for it, such as `plugins`, is refused as a priced field."""
    return bool(_SEARCH_WHEN_ASKED.fullmatch(model_id)) and not _SEARCH_UNASKED.search(model_id)


def _amount(value: object) -> int | None:
    """Micro-credits per million tokens for USD a token; None for what is no sensible price."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        return None
    if not usd.is_finite() or not 0 <= usd <= _MAX_USD_A_TOKEN:
        return None
    return int((usd * _MICRO_CREDITS_PER_USD_A_TOKEN).to_integral_value(ROUND_CEILING))


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_TOKENS else None


def _object(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _texts(value: object, *otherwise: str) -> set[str]:
    """The texts of a list; `otherwise` where there is none."""
    if not isinstance(value, list):
        return set(otherwise)
    return {each for each in cast("list[Any]", value) if isinstance(each, str)}
