"""Searches before anyone is asked: fields by mode and provider, the order of providers, and the price."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed.tenants.tenants import TenantSettings
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.services.search.work import SearchWork, parse
from tests.support.inference.any_json import anything

CATALOG = load_catalog()
DETAILED: dict[str, Any] = {
    "include_domains": ["a.example"],
    "exclude_domains": ["a.example"],
    "start_published_date": "2026-01-01",
    "end_published_date": "2026-01-02",
    "include_content": True,
}
SHORTER = {"gl": "in", "hl": "hi", "tbs": "qdr:d"}


def work_of(**fields: Any) -> SearchWork:
    return parse(CATALOG, {"query": "voice agents", **fields}, 0)


def asked(**fields: Any) -> list[str]:
    return [model.id for model in work_of(**fields).models]


def refusal(**fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        work_of(**fields)
    assert refused.value.status == 400
    return refused.value


@pytest.mark.parametrize(
    ("fields", "providers"),
    [
        ({}, ["google", "exa", "serper", "firecrawl"]),
        ({"mode": "shorter"}, ["google", "serper", "firecrawl"]),
        ({"mode": "detailed"}, ["google", "exa", "firecrawl"]),
        ({"mode": "shorter", "gl": "in"}, ["serper", "firecrawl"]),
        ({"mode": "shorter", "hl": "hi"}, ["serper"]),
        ({"mode": "detailed", "include_domains": ["a.example"]}, ["exa", "firecrawl"]),
        ({"mode": "detailed", "start_published_date": "2026-01-01"}, ["google", "exa", "firecrawl"]),
        ({"mode": "detailed", **DETAILED}, ["exa"]),
        ({"query": "x" * 501}, ["google", "exa", "serper"]),
        ({"search_type": "news"}, ["serper"]),
        ({"search_type": "instant"}, ["exa"]),
        ({"num_results": 11}, ["google", "serper"]),
        ({"mode": "detailed", "include_content": True}, ["exa"]),
        ({"provider": "exa", "mode": "shorter", "include_content": True}, ["exa"]),
        ({"provider": "serper", "mode": "detailed", "gl": "in"}, ["serper"]),
        ({"provider": "sandbox-search", **DETAILED, **SHORTER}, ["sandbox-search"]),
    ],
)
def test_those_are_asked_who_can_have_the_search(fields: dict[str, Any], providers: list[str]) -> None:
    assert asked(**fields) == providers
    assert work_of(**fields).model_id == providers[0]


@pytest.mark.parametrize(
    ("field", "mode"),
    [
        *((field, mode) for field in DETAILED for mode in ("auto", "shorter")),
        *((field, mode) for field in SHORTER for mode in ("auto", "detailed")),
    ],
)
def test_field_of_another_mode_is_refused(field: str, mode: str) -> None:
    assert refusal(mode=mode, **{field: (DETAILED | SHORTER)[field]}).param == field


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"start_published_date": "2026-02-30"}, "start_published_date"),
        ({"end_published_date": "2026-2-3"}, "end_published_date"),
        ({"end_published_date": "20260203"}, "end_published_date"),
        ({"start_published_date": "\uff12\uff10\uff12\uff16-01-01"}, "start_published_date"),
        ({"start_published_date": "2026-03-02", "end_published_date": "2026-03-01"}, "start_published_date"),
        *(
            ({"include_domains": [domain]}, "include_domains.0")
            for domain in (
                "https://a.example",
                "a.example/x",
                "localhost",
                "a..example",
                "-a.example",
                "a b",
                "1.2.3.4",
                "é\n",
            )
        ),
        ({"exclude_domains": []}, "exclude_domains"),
        ({"search_type": "slow"}, "search_type"),
        ({"search_type": "deep"}, "search_type"),
        ({"query": " \n"}, "query"),
        ({"query": "\u200b\x00"}, "query"),
        ({"provider": "bing"}, "provider"),
        ({"provider": "exa", "gl": "in"}, "gl"),
        ({"provider": "google", "include_content": True}, "include_content"),
        ({"provider": "firecrawl", "query": "x" * 501}, "query"),
    ],
)
def test_what_nobody_can_search_for_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(mode="detailed", **fields).param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"provider": "exa", "search_type": "deep"}, "search_type"),
        ({"provider": "exa", "search_type": "deep-lite"}, "search_type"),
        ({"provider": "exa", "num_results": 11}, "num_results"),
        ({"provider": "firecrawl", "num_results": 11}, "num_results"),
        ({"provider": "firecrawl", "include_content": True}, "include_content"),
    ],
)
def test_what_a_provider_charges_extra_for_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    refused = refusal(**fields)

    assert (refused.param, refused.code) == (param, "unsupported_field")


def test_extras_that_an_operators_price_covers_are_searched_for() -> None:
    catalog = load_catalog(
        """
[providers.exa]
dialect = "native"
transport = "exa"
base_url = "https://api.exa.ai"
unpriced_fields = ["num_results", "search_type"]

[providers.firecrawl]
dialect = "native"
transport = "firecrawl"
base_url = "https://api.firecrawl.dev/v2"
unpriced_fields = ["include_content"]
"""
    )

    def found(**fields: Any) -> list[str]:
        return [model.id for model in parse(catalog, {"query": "voice agents", **fields}, 0).models]

    assert found(search_type="deep", num_results=50) == ["exa"]
    assert found(mode="detailed", include_content=True) == ["exa", "firecrawl"]
    assert found(mode="detailed", include_content=True, num_results=11) == ["exa"]


def test_domain_is_sent_as_dns_has_it() -> None:
    work = work_of(mode="detailed", include_domains=["Bücher.Example", "भारत.भारत"])

    sent = work.request_for(work.models[0], work.models[0].routes[0]).json["include_domains"]
    assert sent == ["xn--bcher-kva.example", "xn--h2brj9c.xn--h2brj9c"]


@given(st.dictionaries(st.sampled_from([*DETAILED, *SHORTER, "query", "mode", "provider", "num_results"]), anything))
def test_any_body_is_searched_or_refused(body: dict[str, Any]) -> None:
    try:
        assert parse(CATALOG, body, 0).models
    except ApiError as refused:
        assert refused.status == 400


@pytest.mark.parametrize(("provider", "first"), [("serper", "serper"), ("nobody", "google"), (None, "google")])
def test_preferred_provider_comes_first_where_it_may_be_asked(provider: str | None, first: str) -> None:
    work = work_of().following(TenantSettings(default_search_provider=provider))

    assert [model.id for model in work.models][:1] == [first]
    assert sorted(model.id for model in work.models) == sorted(model.id for model in work_of().models)


def test_no_choice_is_left_to_a_tenant_where_the_caller_made_it() -> None:
    assert work_of().follows_settings
    assert not work_of(provider="exa").follows_settings
    assert not work_of(search_type="news").follows_settings


@given(
    st.lists(st.fixed_dictionaries({"url": st.just("https://a.example/")}, optional={"title": anything})),
    st.integers(1, 50),
)
async def test_search_costs_its_price_which_is_what_was_held(rows: list[Any], most: int) -> None:
    work = work_of(num_results=most)
    for model in work.models:
        meter = work.meter(model, model.routes[0])
        meter.feed(written_json({"results": rows}))
        meter.end()
        charges = await meter.charges()

        assert meter.finished
        assert model.unit_price
        assert charges.cost == model.unit_price.amount == work.estimate
        assert not charges.estimated
