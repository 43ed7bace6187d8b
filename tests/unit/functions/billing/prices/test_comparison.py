"""What a comparison of two catalogs finds."""

from dataclasses import replace

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.money import MicroCredits
from functions.billing.prices.comparison import ChangeKind, Concern, ModelChange, PriceChange, compare

BUILT_IN = load_catalog()
CHAT = """
[[models]]
id = "lab-chat"
provider = "openai"
upstream_id = "lab"
input = 10
output = 20
context_window = 128000
"""
SPEECH = """
[[models]]
id = "lab-chat"
category = "tts"
provider = "openai"
upstream_id = "lab"
unit = "10k_characters"
unit_price = 3
"""


def changes(old: str, new: str) -> tuple[ModelChange, ...]:
    return compare(load_catalog(old), load_catalog(new), BUILT_IN).models


def warnings(old: str, new: str) -> list[tuple[str, str]]:
    found = compare(load_catalog(old), load_catalog(new), BUILT_IN).warnings
    return [(str(each.concern), each.name) for each in found]


def tokens(name: str, old: int | None, new: int | None) -> PriceChange:
    before, after = (None if each is None else MicroCredits(each * 1_000_000) for each in (old, new))
    return PriceChange(name, "million_tokens", before, after)


def test_equal_catalogs_have_no_differences() -> None:
    found = compare(load_catalog(CHAT), load_catalog(CHAT), BUILT_IN)

    assert (found.models, found.providers, found.warnings) == ((), (), ())


def test_removed_model_loses_its_prices_and_its_names() -> None:
    [change] = changes(CHAT + 'aliases = ["lab"]', "")

    assert change == ModelChange(
        "lab-chat", ChangeKind.REMOVED, (tokens("input", 10, None), tokens("output", 20, None))
    )
    assert warnings(CHAT + 'aliases = ["lab"]', "") == [("name_removed", "lab"), ("name_removed", "lab-chat")]


def test_price_of_a_cache_is_compared_with_that_of_other_input() -> None:
    [change] = changes(CHAT, CHAT + "cached_input = 4")

    assert change.prices == (tokens("cached_input", 10, 4),)
    assert change.prices[0].percent == -60.0


def test_other_fields_are_named() -> None:
    [change] = changes(CHAT, CHAT.replace("128000", "64000"))

    assert (change.kind, change.prices) == (ChangeKind.CHANGED, ())
    assert change.fields == ("max_output_tokens", "context_window")


def test_other_category_replaces_the_prices() -> None:
    [change] = changes(CHAT, SPEECH)

    unit = PriceChange("unit_price", "10k_characters", None, MicroCredits(3_000_000))
    assert change.prices == (tokens("input", 10, None), tokens("output", 20, None), unit)
    assert change.fields[0] == "category"


@pytest.mark.parametrize(
    ("old", "new", "large", "percent"),
    [(100, 150, False, 50.0), (100, 151, True, 51.0), (100, 49, True, -51.0), (0, 1, True, None), (3, 4, False, 33.3)],
)
def test_change_of_more_than_a_half_is_large(old: int, new: int, large: bool, percent: float | None) -> None:
    change = tokens("input", old, new)

    assert (change.is_large, change.percent) == (large, percent)


def test_model_that_becomes_free_is_worth_a_look() -> None:
    free = CHAT.replace("input = 10", "input = 0").replace("output = 20", "output = 0")

    assert warnings(CHAT, free) == [("free", "lab-chat"), ("large_change", "lab-chat"), ("large_change", "lab-chat")]
    assert warnings("", free) == []


def test_price_below_the_providers_list_is_worth_a_look() -> None:
    model = BUILT_IN.models["gpt-4o"]
    route = next(route for route in model.routes if route.provider == "openai")
    assert model.price
    cheap = CHAT.replace('"lab"', f'"{route.upstream_id}"').replace("output = 20", "output = 90000")

    [warning] = compare(BUILT_IN, load_catalog(cheap), BUILT_IN).warnings[:1]

    assert (warning.concern, warning.name) == (Concern.BELOW_LIST_PRICE, "lab-chat")
    assert warning.text.startswith("input is 10 credits; openai asks ")


def test_row_in_the_place_of_a_built_in_one_is_a_change() -> None:
    model = BUILT_IN.models["gpt-4o"]
    replaced = replace(BUILT_IN, models={**BUILT_IN.models, model.id: replace(model, description="Ours.")})

    found = compare(BUILT_IN, replaced, BUILT_IN)

    assert found.models == (ModelChange("gpt-4o", ChangeKind.CHANGED, (), ("description",)),)


def test_providers_are_compared_by_name() -> None:
    old = '[providers.a]\nbase_url = "http://a.example/v1"\n[providers.b]\nbase_url = "http://b.example/v1"\n'
    new = old.replace("providers.a", "providers.c").replace("b.example", "d.example")

    found = compare(load_catalog(old), load_catalog(new), BUILT_IN).providers

    assert [(each.provider, str(each.kind)) for each in found] == [("a", "removed"), ("b", "changed"), ("c", "added")]
