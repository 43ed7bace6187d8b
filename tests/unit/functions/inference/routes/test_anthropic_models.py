"""The catalog in Anthropic's form, through the application and the official SDK."""

from collections.abc import AsyncIterator

import anthropic
import httpx2
import pytest
from anthropic.types import ModelInfo

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category
from tests.unit.functions.inference.routes.test_models import KEY, OPERATOR_FILE, serving

BOTH = pytest.mark.parametrize("base", ["http://test", "http://test/anthropic"])


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(OPERATOR_FILE)


@pytest.fixture
async def http(catalog: Catalog) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(catalog, {"OPENROUTER_API_KEY": "k"}) as client:
        yield client


@pytest.fixture
def expected(catalog: Catalog) -> list[str]:
    """Models of the catalog that speak, are priced by the token and need no socket, in its order."""
    return [model.id for model in catalog.listed(Category.LLM) if model.price and not model.realtime]


def sdk(http: httpx2.AsyncClient, base: str, key: str = KEY) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=base, api_key=key, http_client=http, max_retries=0)


@BOTH
@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_pages_are_walked_to_the_end(
    http: httpx2.AsyncClient, expected: list[str], base: str, limit: int
) -> None:
    found = [model async for model in sdk(http, base).models.list(limit=limit)]

    assert [model.id for model in found] == expected
    assert all(ModelInfo.model_validate(model.model_dump(), strict=True) for model in found)


@BOTH
async def test_pages_are_walked_backwards(http: httpx2.AsyncClient, expected: list[str], base: str) -> None:
    page = await sdk(http, base).models.list(before_id=expected[9], limit=4)
    assert ([model.id for model in page.data], page.has_more) == (expected[5:9], True)

    page = await page.get_next_page()
    page = await page.get_next_page()

    assert ([model.id for model in page.data], page.has_more) == (expected[:1], False)


async def test_a_page_has_twenty_models_unless_asked_otherwise(http: httpx2.AsyncClient, expected: list[str]) -> None:
    page = await sdk(http, "http://test").models.list()

    assert (len(page.data), page.has_more) == (20, True)
    assert (page.first_id, page.last_id) == (expected[0], expected[19])


async def test_the_page_after_the_last_model_is_empty(http: httpx2.AsyncClient, expected: list[str]) -> None:
    page = await sdk(http, "http://test").models.list(after_id=expected[-1])

    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


@BOTH
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("claude-opus-4.6", "anthropic/claude-opus-4.6"),
        ("anthropic/claude-opus-4.6", "anthropic/claude-opus-4.6"),
        ("lab", "lab/chat"),
        ("kimi-k2.6", "kimi-k2.6"),
    ],
)
async def test_a_model_is_found_by_id_alias_and_bare_name(
    http: httpx2.AsyncClient, base: str, asked: str, found: str
) -> None:
    model = await sdk(http, base).models.retrieve(asked)

    assert (model.id, model.type, model.lifecycle) == (found, "model", "active")
    assert model.display_name
    assert model.created_at.isoformat() == "2026-06-01T00:00:00+00:00"


@BOTH
@pytest.mark.parametrize("asked", ["nothing", "saaras:v3", "text-embedding-3-small", "nova-sonic"])
async def test_what_messages_cant_name_is_not_found(http: httpx2.AsyncClient, base: str, asked: str) -> None:
    with pytest.raises(anthropic.NotFoundError) as raised:
        await sdk(http, base).models.retrieve(asked)

    assert raised.value.type == "not_found_error"
    assert raised.value.request_id


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("0", "1001", "-1", "x", "1.5", "99999999999", "\N{SUPERSCRIPT TWO}", "")),
        {"after_id": "nothing"},
        {"before_id": "saaras:v3"},
        {"after_id": "kimi-k2.6", "before_id": "gpt-4o"},
    ],
)
async def test_a_page_that_is_none_is_refused(http: httpx2.AsyncClient, base: str, query: dict[str, str]) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        await sdk(http, base).models.list(extra_query=query)

    assert raised.value.type == "invalid_request_error"


@BOTH
async def test_a_wrong_key_is_refused_in_the_sdks_form(http: httpx2.AsyncClient, base: str) -> None:
    with pytest.raises(anthropic.AuthenticationError) as raised:
        await sdk(http, base, "cm_live_wrong").models.list()

    assert raised.value.type == "authentication_error"
    assert raised.value.request_id == raised.value.response.headers["x-request-id"]


async def test_openais_form_stays_where_no_version_is_named(http: httpx2.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    listed = await http.get("/v1/models?limit=0", headers=headers)
    missing = await http.get("/v1/models/nothing", headers=headers)

    assert listed.json()["object"] == "list"
    assert missing.json()["error"]["param"] == "model"
    assert "request-id" not in missing.headers
    assert (await http.get("/anthropic/v1/models", headers=headers)).json()["has_more"] is True
