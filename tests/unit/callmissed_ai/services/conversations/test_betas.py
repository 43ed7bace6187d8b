"""The header's values, and what a row admits."""

from dataclasses import replace

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, ProviderRoute, ProviderSettings
from callmissed.errors import ApiError
from callmissed_ai.services.conversations.betas import (
    HEADER,
    MAX_BETAS,
    PRICED,
    beta_headers,
    parse_betas,
    restricted_to_betas,
)
from local.paths import ROOT

SANDBOX = load_catalog().models["sandbox"]


def row(*admitted: str) -> ProviderSettings:
    return ProviderSettings("p", "anthropic_messages", "https://h/v1", unpriced_betas=frozenset(admitted))


@pytest.mark.parametrize(
    ("values", "betas"),
    [
        ([], ()),
        (["a"], ("a",)),
        (["b, a", "a,,c"], ("b", "a", "c")),
        (["x" * 100], ("x" * 100,)),
    ],
)
def test_header_is_a_list_of_names(values: list[str], betas: tuple[str, ...]) -> None:
    assert parse_betas(values) == betas


@pytest.mark.parametrize("value", ["x" * 101, "a b", "é", "a\r\nX: y", "-a", ",".join(map(str, range(MAX_BETAS + 1)))])
def test_header_is_bounded(value: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_betas([value])

    assert (refused.value.status, refused.value.param) == (400, HEADER)


@pytest.mark.parametrize(
    ("admitted", "sent"),
    [
        ((), None),
        (("*",), "new-2027-01-01"),
        (("context-1m",), "context-1m-2025-08-07"),
        (("*", "context-1m"), "new-2027-01-01,context-1m-2025-08-07"),
        (("new",), "new-2027-01-01"),
    ],
)
def test_row_admits_betas_by_name_without_the_date(admitted: tuple[str, ...], sent: str | None) -> None:
    assert beta_headers(row(*admitted), ("new-2027-01-01", "context-1m-2025-08-07")).get(HEADER) == sent


def catalog_of(**admitted: set[str]) -> Catalog:
    """Models with one provider each, both by their provider's name."""
    rows = {name: row(*names) for name, names in admitted.items()}
    models = {name: replace(SANDBOX, id=name, routes=(ProviderRoute(name, "x"),)) for name in rows}
    return Catalog(models, rows)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_model_without_a_route_for_a_beta_is_skipped(names: str) -> None:
    catalog = catalog_of(a={"skills"}, b={"*"})
    models = tuple(catalog.models[name] for name in names)

    assert restricted_to_betas(catalog, models, ["new", "skills-2025-10-02"]) == (catalog.models["a"],)


def test_beta_without_a_model_names_the_first() -> None:
    catalog = catalog_of(a={"*"}, b={"*"})

    with pytest.raises(ApiError) as refused:
        restricted_to_betas(catalog, tuple(catalog.models.values()), ["skills"])

    assert (refused.value.code, refused.value.param) == ("unsupported_field", HEADER)
    assert "'a'" in refused.value.message


def test_the_documentation_has_every_beta_with_a_price() -> None:
    text = (ROOT / "docs" / "providers.md").read_text()

    assert [beta for beta in PRICED if f"`{beta}`" not in text] == []
