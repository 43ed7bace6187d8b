"""The header's values, and what a row admits."""

import pytest

from callmissed.catalog.model import ProviderSettings
from callmissed.errors import ApiError
from callmissed_ai.services.betas import HEADER, MAX_BETAS, PRICED, beta_headers, parse_betas
from local.paths import ROOT


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


def test_the_documentation_has_every_beta_with_a_price() -> None:
    text = (ROOT / "docs" / "providers.md").read_text()

    assert [beta for beta in PRICED if f"`{beta}`" not in text] == []
