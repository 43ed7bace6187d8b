"""The catalog's routes, through the application with its real envelopes and the official SDK."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import pytest
from openai.types import Model as OpenAIModel

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog
from callmissed.clock import Micros, system_clock
from callmissed.errors import invalid_api_key
from callmissed.keys.admission import Admitted
from callmissed.keys.policy import KeyPolicy, new_key_item
from callmissed.keys.secret import Mode, new_secret
from callmissed.money import MicroCredits
from callmissed_ai.routing.router import Router
from functions.inference.app import create_app
from functions.inference.openapi import document
from functions.inference.routes.models import render_model, render_pricing, usd

OPERATOR_FILE = """
[providers.lab]
base_url = "http://127.0.0.1:9000/v1"
[[models]]
id = "lab/chat"
provider = "lab"
upstream_id = "some-model"
input = 0.000001
output = 1000000
cached_input = 0
context_window = 8192
aliases = ["lab"]
"""
KEY = new_secret(Mode.TEST)


class Authenticator:
    """Knows one key, which may do everything."""

    async def admit(self, secret: str, estimate: int, now: int) -> Admitted:
        if secret != KEY:
            raise invalid_api_key()
        policy = new_key_item(
            key_hash="hash",
            key_id="key_1",
            tenant="tnt_1",
            plan="pro",
            mode=Mode.TEST,
            policy=KeyPolicy(),
            now=Micros(now),
        )
        return Admitted(policy, MicroCredits(estimate), Micros(now))


@dataclass
class Container:
    """What the model routes need of the real one."""

    catalog: Catalog
    router: Router
    stage: str = "test"
    clock: Any = system_clock
    database: Any = None
    authenticator: Any = field(default_factory=lambda: Authenticator())

    async def close(self) -> None:
        return None


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(OPERATOR_FILE)


@pytest.fixture
async def http(catalog: Catalog) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(catalog, {"MOONSHOT_API_KEY": "k"}) as client:
        yield client


@asynccontextmanager
async def serving(
    catalog: Catalog, environment: dict[str, str], *, names_variables: bool = False
) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the application with these variables."""
    router = Router(catalog, environment, lambda: pytest.fail("no call is made"), names_variables=names_variables)
    container: Any = Container(catalog, router)
    transport = httpx2.ASGITransport(create_app(container))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def sdk(http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url="http://test/v1", api_key=KEY, http_client=http, max_retries=0)


async def test_the_sdk_lists_every_model(sdk: openai.AsyncOpenAI, catalog: Catalog) -> None:
    page = await sdk.models.list()

    assert page.object == "list"
    assert [model.id for model in page.data] == [model.id for model in catalog.listed()]
    assert {model.object for model in page.data} == {"model"}


@pytest.mark.parametrize("asked", ["gpt-4o", "openai/gpt-5.4", "lab/chat", "saaras:v3"])
async def test_the_sdk_retrieves_a_model(sdk: openai.AsyncOpenAI, asked: str) -> None:
    model = await sdk.models.retrieve(asked)

    assert isinstance(model, OpenAIModel)
    assert model.id == asked
    assert model.created == 1_780_272_000


async def test_an_alias_and_a_suffix_lead_to_the_model(sdk: openai.AsyncOpenAI) -> None:
    assert (await sdk.models.retrieve("lab:floor")).id == "lab/chat"


async def test_every_row_is_an_openai_model(catalog: Catalog) -> None:
    for model in catalog.models.values():
        assert OpenAIModel.model_validate(render_model(model), strict=True).owned_by == model.owned_by


async def test_the_sdk_raises_not_found(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.models.retrieve("gpt-0")

    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt-4o", "/v1/models/gpt-0"])
async def test_v1_needs_a_key(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


async def test_a_model_is_shown_as_the_documented_example(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/models/kimi-k2.6")

    assert answer.status_code == 200
    described = document()["paths"]["/api/v1/models/{model_id}"]["get"]["responses"]["200"]
    assert answer.json() == described["content"]["application/json"]["example"]


MISSING = {
    "sandbox": None,
    "sandbox-embedding": None,
    "lab/chat": None,
    "gpt-oss-120b": "GROQ_API_KEY",
    "saaras:v3": "SARVAM_API_KEY",
    "openrouter/auto": "No endpoint serves this kind of model yet.",
    "nova-sonic": "No endpoint serves this kind of model yet.",
    "kimi-k2.5-fast": "Under maintenance",
}


@pytest.mark.parametrize(("model_id", "why"), MISSING.items())
async def test_a_model_says_whether_it_can_be_called_and_why_not(
    catalog: Catalog, model_id: str, why: str | None
) -> None:
    async with serving(catalog, {}, names_variables=True) as local, serving(catalog, {}) as deployed:
        named, hidden = [(await one.get(f"/api/v1/models/{model_id}")).json() for one in (local, deployed)]

    assert named["available"] is hidden["available"] is (why is None)
    assert (named["unavailable_reason"] is None) is (hidden["unavailable_reason"] is None) is (why is None)
    assert (why or "") in (named["unavailable_reason"] or "")
    assert "API_KEY" not in str(hidden)


async def test_a_model_with_several_routes_names_what_each_needs(catalog: Catalog) -> None:
    async with serving(catalog, {"CLOUDFLARE_API_TOKEN": "k"}, names_variables=True) as local:
        listed = (await local.get("/api/v1/models")).json()["data"]

    reasons = [row["unavailable_reason"] for row in listed if "CLOUDFLARE" in (row["unavailable_reason"] or "")]
    assert any(": set CLOUDFLARE_ACCOUNT_ID, or OPENROUTER_API_KEY, and start" in reason for reason in reasons)
    assert not any("CLOUDFLARE_API_TOKEN" in reason for reason in reasons)


async def test_one_configured_route_makes_a_model_available(catalog: Catalog) -> None:
    async with serving(catalog, {"OPENROUTER_API_KEY": "k"}) as local:
        listed = (await local.get("/api/v1/models?category=llm")).json()["data"]

    for row in listed:
        providers = {route.provider for route in catalog.models[row["id"]].routes}
        assert row["available"] is (
            bool(providers & {"openrouter", "sandbox", "lab"})
            and row["pricing"] is not None
            and row["status"] == "live"
        )


async def test_every_model_with_an_endpoint_is_available_to_a_test_key(catalog: Catalog) -> None:
    async with serving(catalog, {}) as local:
        listed = (await local.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})).json()["data"]

    by_id = {row["id"]: row["available"] for row in listed}
    assert (by_id["gpt-4o"], by_id["text-embedding-3-small"], by_id["saaras:v3"]) == (True, True, True)


async def test_only_an_embedding_model_shows_the_size_of_its_vectors(http: httpx2.AsyncClient) -> None:
    listed = (await http.get("/api/v1/models")).json()["data"]

    assert {row["id"]: row["dimensions"] for row in listed if "dimensions" in row} == {
        "text-embedding-3-small": 1536,
        "text-embedding-3-large": 3072,
        "gemini-embedding-001": 3072,
        "bge-m3": 1024,
        "cohere-embed-multilingual-v3": 1024,
        "titan-embed-text-v2": 1024,
        "sandbox-embedding": 1024,
    }


@pytest.mark.parametrize(
    ("model_id", "pricing"),
    [
        ("gpt-oss-120b", {"input": 1.0, "output": 4.0, "unit": "per_million_tokens", "currency": "USD"}),
        ("qwen/qwen3.5-flash", {"input": 0.09, "output": 0.35, "unit": "per_million_tokens", "currency": "USD"}),
        ("saaras:v3", {"price": 0.53, "unit": "per_audio_hour", "currency": "USD"}),
        ("melotts", {"price": 0.05, "unit": "per_10k_characters", "currency": "USD"}),
        ("nano-banana-pro", {"price": 0.134, "unit": "per_image", "currency": "USD"}),
        ("openrouter/auto", None),
        (
            "nova-sonic",
            {"input": 4.5, "output": 17.0, "unit": "per_million_tokens", "currency": "USD", "per_minute": 0.071},
        ),
        (
            "lab/chat",
            {
                "input": 1e-08,
                "output": 10_000.0,
                "cached_input": 0.0,
                "unit": "per_million_tokens",
                "currency": "USD",
            },
        ),
    ],
)
def test_pricing_is_in_exact_dollars(catalog: Catalog, model_id: str, pricing: object) -> None:
    assert render_pricing(catalog.models[model_id]) == pricing


def test_dollars_show_every_digit_of_the_dearest_and_the_cheapest_price() -> None:
    assert repr(usd(1_000_000 * 1_000_000 - 1)) == "9999.99999999"
    assert repr(usd(1)) == "1e-08"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 77),
        ("?category=llm", 45),
        ("?category=stt", 8),
        ("?category=tts", 6),
        ("?category=image", 11),
        ("?category=embedding", 7),
        ("?free=true", 36),
        ("?free=false", 41),
        ("?category=image&free=true", 7),
        ("?category=stt&free=false", 4),
    ],
)
async def test_the_public_list_is_filtered(http: httpx2.AsyncClient, query: str, count: int) -> None:
    answer = await http.get(f"/api/v1/models{query}")

    assert answer.status_code == 200
    assert len(answer.json()["data"]) == count


@pytest.mark.parametrize(
    ("query", "field"), [("category=video", "category"), ("category=", "category"), ("free=maybe", "free")]
)
async def test_a_filter_that_does_not_exist_is_refused(http: httpx2.AsyncClient, query: str, field: str) -> None:
    answer = await http.get(f"/api/v1/models?{query}")
    error = answer.json()["error"]

    assert answer.status_code == 422
    assert error["details"][0]["loc"] == ["query", field]
    assert error["request_id"] == answer.headers["x-request-id"]


async def test_the_documented_refusal_of_a_filter_is_the_real_one(http: httpx2.AsyncClient) -> None:
    documented = document()["paths"]["/api/v1/models"]["get"]["responses"]["422"]["content"]["application/json"]

    answer = await http.get("/api/v1/models?category=video")

    assert answer.json()["error"]["details"] == documented["example"]["error"]["details"]


async def test_the_public_404_is_the_platforms(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/models/openai/gpt-0")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_access_lists_the_models_of_each_plan(http: httpx2.AsyncClient, catalog: Catalog) -> None:
    plans = (await http.get("/api/v1/models/access")).json()["plans"]

    assert list(plans) == ["free", "starter", "pro", "enterprise"]
    assert plans["free"]["models"] == [model.id for model in catalog.listed(free=True)]
    assert plans["free"]["by_category"]["tts"] == ["bulbul:v3", "aura-2-en", "aura-2-es", "melotts", "sandbox-tts"]
    assert plans["free"]["restriction"] == "36 models across 5 categories"
    assert plans["starter"]["models"] == plans["pro"]["models"] == [model.id for model in catalog.listed()]
    assert plans["pro"]["restriction"] == "All 77 models"
    assert plans["enterprise"]["restriction"] == "All 77 models + custom models"


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/models/access", "/api/v1/models/gpt-4o"])
async def test_public_answers_are_cacheable(http: httpx2.AsyncClient, path: str) -> None:
    first = await http.get(path)
    etag = first.headers["etag"]

    assert first.headers["cache-control"] == "public, max-age=60"
    assert first.headers["access-control-allow-origin"] == "*"
    for held in (etag, f'"other", W/{etag}', "*"):
        again = await http.get(path, headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_filter_changes_the_etag(http: httpx2.AsyncClient) -> None:
    everything, speech = await http.get("/api/v1/models"), await http.get("/api/v1/models?category=tts")

    assert everything.headers["etag"] != speech.headers["etag"]


async def test_answers_with_a_key_are_not_for_public_caches(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/models", headers={"Authorization": f"Bearer {KEY}"})

    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


def test_the_openapi_document_describes_the_routes() -> None:
    paths = document()["paths"]

    for path in ("/v1/models", "/v1/models/{model_id}", "/api/v1/models", "/api/v1/models/access"):
        operation = paths[path]["get"]
        assert operation["summary"]
        assert operation["responses"]["200"]["content"]["application/json"]["example"]
    assert (
        "embedding"
        in paths["/api/v1/models/access"]["get"]["responses"]["200"]["content"]["application/json"]["example"]["plans"][
            "free"
        ]["by_category"]
    )
    names = {parameter["name"] for parameter in paths["/api/v1/models"]["get"]["parameters"]}
    assert names == {"category", "free"}
