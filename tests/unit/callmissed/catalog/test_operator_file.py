"""What an operator's file may add, and how each mistake in it is named."""

from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from callmissed.catalog.loader import CatalogError, load_catalog, read_operator_file
from callmissed.catalog.model import Category, Price, ProviderRoute
from local.paths import ROOT

LAB = """
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9000/v1/"
api_key_env = "LAB_API_KEY"

[[models]]
id = "lab-chat"
provider = "lab"
upstream_id = "some-model"
input = 1.0
output = 2.0
context_window = 128000
"""
EXAMPLES = ROOT / "docs" / "examples"


def with_row(text: str) -> str:
    """`LAB` with further fields in its model row."""
    return f"{LAB}{text}\n"


def test_a_provider_and_its_model_are_added() -> None:
    catalog = load_catalog(LAB)
    provider, model = catalog.providers["lab"], catalog.models["lab-chat"]

    assert (provider.dialect, provider.base_url) == ("openai_chat", "http://127.0.0.1:9000/v1")
    assert (provider.api_key_env, provider.transport) == ("LAB_API_KEY", "bare")
    assert model.category is Category.LLM
    assert model.routes == (ProviderRoute("lab", "some-model"),)
    assert model.price == Price(1_000_000, 2_000_000, None, "i1000000-o2000000")
    assert (model.name, model.owned_by, model.free) == ("lab-chat", "lab", False)
    assert (model.context_window, model.max_output_tokens) == (128_000, 32_000)
    assert len(catalog.models) == len(load_catalog().models) + 1


def test_every_optional_field_is_taken() -> None:
    model = load_catalog(
        with_row(
            """
            cached_input = 0.25
            cache_write = 1.25
            max_output_tokens = 4096
            name = "Lab"
            description = "Ours."
            owned_by = "us"
            free = true
            supports_streaming = false
            supports_tools = false
            supports_reasoning = true
            supports_vision = true
            aliases = ["lab", "lab/chat"]
            output_limit_field = "max_completion_tokens"
            thinks_by_budget = true
            """
        )
    ).find("lab/chat:nitro")

    assert model is not None
    assert model.price == Price(1_000_000, 2_000_000, 250_000, "i1000000-o2000000-c250000-w1250000", 1_250_000)
    assert (model.max_output_tokens, model.output_limit_field) == (4096, "max_completion_tokens")
    assert (model.name, model.description, model.owned_by, model.free) == ("Lab", "Ours.", "us", True)
    assert not model.supports_streaming
    assert not model.supports_tools
    assert model.supports_reasoning
    assert model.supports_vision
    assert model.thinks_by_budget


def test_embedding_model_needs_no_output_price() -> None:
    row = LAB.replace("output = 2.0", 'category = "embedding"\ndimensions = 768')
    model = load_catalog(row).models["lab-chat"]

    assert (model.category, model.dimensions, model.max_output_tokens) == (Category.EMBEDDING, 768, 0)
    assert model.price == Price(1_000_000, 0, None, "i1000000-o0")


@pytest.mark.parametrize(
    ("written", "micro_credits"),
    [("35.0", 35_000_000), ("7", 7_000_000), ("0", 0), ("0.1", 100_000), ("0.000001", 1), ("1e2", 100_000_000)],
)
def test_prices_are_converted_exactly(written: str, micro_credits: int) -> None:
    model = load_catalog(LAB.replace("input = 1.0", f"input = {written}")).models["lab-chat"]

    assert model.price is not None
    assert model.price.input == micro_credits


def test_a_row_with_a_built_in_id_replaces_that_model() -> None:
    catalog = load_catalog(LAB.replace('"lab-chat"', '"gpt-4o"'))

    assert catalog.models["gpt-4o"].routes == (ProviderRoute("lab", "some-model"),)
    assert len(catalog.models) == len(load_catalog().models)


def test_a_built_in_provider_can_serve_a_new_model_and_be_replaced() -> None:
    catalog = load_catalog(LAB.replace("providers.lab", "providers.groq").replace('"lab"', '"groq"'))

    assert catalog.providers["groq"].api_key_env == "LAB_API_KEY"
    assert catalog.models["lab-chat"].routes == (ProviderRoute("groq", "some-model"),)


def test_provider_names_the_fields_that_it_does_not_charge_for() -> None:
    named = LAB.replace("[providers.lab]", '[providers.lab]\nunpriced_fields = ["top_a", "messages.prefix"]')

    assert load_catalog(LAB).providers["lab"].unpriced_fields == frozenset()
    assert load_catalog(named).providers["lab"].unpriced_fields == {"top_a", "messages.prefix"}


def test_quirks_of_a_provider_are_named() -> None:
    named = LAB.replace("[providers.lab]", '[providers.lab]\nquirks = ["inline_images", "random_seed"]')

    assert load_catalog(LAB).providers["lab"].quirks == frozenset()
    assert load_catalog(named).providers["lab"].quirks == {"inline_images", "random_seed"}


def test_rows_of_the_same_id_are_routes_in_order() -> None:
    further = """
        [[models]]
        id = "lab-chat"
        provider = "openrouter"
        upstream_id = "maker/some-model"
        [[models]]
        id = "lab-chat"
        provider = "groq"
        upstream_id = "some-model"
        input = 1.0
        """
    model = load_catalog(LAB + further).models["lab-chat"]

    assert [route.provider for route in model.routes] == ["lab", "openrouter", "groq"]
    assert model.routes[1].upstream_id == "maker/some-model"


def test_an_empty_file_changes_nothing() -> None:
    assert load_catalog("") == load_catalog()


SECOND_ROW = '\n[[models]]\nid = "lab-chat"\nupstream_id = "x"\n'
MISTAKES = [
    ("input = 1.0", "input = -0.1", "models row 1 (lab-chat): input: Input should be greater than or equal to 0"),
    ("output = 2.0", "output = 1000001", "models row 1 (lab-chat): output: Input should be less than or equal to"),
    ("input = 1.0", "input = 0.0000001", "models row 1 (lab-chat): input: credits have at most six decimals"),
    ("input = 1.0", "input = 1e-999999999", "models row 1 (lab-chat): input: credits have at most six decimals"),
    ("input = 1.0", "input = 1e400000000", "models row 1 (lab-chat): input: Input should be less than or equal to"),
    ("input = 1.0", "input = nan", "models row 1 (lab-chat): input: Input should be a finite number"),
    ("input = 1.0", "input = inf", "models row 1 (lab-chat): input: Input should be a finite number"),
    ("input = 1.0", "input = true", "models row 1 (lab-chat): input: must be a number"),
    ("input = 1.0", 'input = "1.0"', "models row 1 (lab-chat): input: must be a number"),
    ("input = 1.0\n", "", "models row 1 (lab-chat): input: Field required"),
    ("output = 2.0\n", "", "models row 1 (lab-chat): output: Field required"),
    ("context_window = 128000\n", "", "models row 1 (lab-chat): context_window: Field required"),
    ("128000", "0", "models row 1 (lab-chat): context_window: Input should be greater than or equal to 1"),
    ("128000", "1.5", "models row 1 (lab-chat): context_window: Input should be a valid integer"),
    ('upstream_id = "some-model"\n', "", "models row 1 (lab-chat): upstream_id: Field required"),
    ('id = "lab-chat"\n', "", "models row 1 (no id): id: Field required"),
    ('"lab-chat"', '"two words"', "models row 1 (two words): id: String should match pattern"),
    ('"lab-chat"', '"two\\nlines"', "models row 1 (two lines): id: String should match pattern"),
    ('"lab-chat"', "7", "models row 1 (7): id: Input should be a valid string"),
    ('provider = "lab"', 'provider = "lap"', "models row 1 (lab-chat): provider: there is no provider 'lap'"),
    ("input = 1.0", "input = 1.0\nprice = 3", "models row 1 (lab-chat): price: Extra inputs are not permitted"),
    (
        "input = 1.0",
        "input = 1.0\ncached_input = 1.5",
        "models row 1 (lab-chat): cached_input: must not be above input",
    ),
    ("128000", "128000\ndimensions = 768", "models row 1 (lab-chat): dimensions: only embedding models have them"),
    ("128000", '128000\ncategory = "stt"', "models row 1 (lab-chat): context_window: models of category stt have none"),
    ("128000", "10\nmax_output_tokens = 11", "(lab-chat): max_output_tokens: must not be above context_window"),
    ("128000", '10\naliases = ["gpt-4o"]', "models (lab-chat): aliases: 'gpt-4o' is taken already"),
    ("128000", '10\naliases = ["openai-gpt-image-2"]', "(lab-chat): aliases: 'openai-gpt-image-2' is taken already"),
    ("128000", '10\naliases = ["a", "a"]', "models (lab-chat): aliases: 'a' is taken already"),
    ("128000", f'10{SECOND_ROW}provider = "lab"', "models row 2 (lab-chat): provider: 'lab' has this model already"),
    (
        "128000",
        f'10{SECOND_ROW}provider = "groq"\ninput = 2',
        "models row 2 (lab-chat): input: differs from the first row",
    ),
    ('"openai_chat"', '"anthropic"', "providers.lab: dialect: Input should be 'openai_chat'"),
    ("http://127.0.0.1:9000/v1/", "ftp://lab/v1", "providers.lab: base_url: URL scheme should be 'http' or 'https'"),
    ("http://127.0.0.1:9000/v1/", "lab:9000", "providers.lab: base_url: URL scheme should be"),
    ("http://127.0.0.1:9000/v1/", "", "providers.lab: base_url: Input should be a valid URL"),
    ("http://127.0.0.1:9000/v1/", "http:///v1", "providers.lab: base_url: must be a plain URL with a host"),
    ("http://127.0.0.1:9000/v1/", "http://u:p@lab/v1", "providers.lab: base_url: must be a plain URL"),
    ("http://127.0.0.1:9000/v1/", "http://lab/v1?key=1", "providers.lab: base_url: must be a plain URL"),
    ('base_url = "http://127.0.0.1:9000/v1/"\n', "", "providers.lab: base_url: Field required"),
    ('"LAB_API_KEY"', '"sk-secret"', "providers.lab: api_key_env: String should match pattern"),
    ("api_key_env", "api_key", "providers.lab: api_key: Extra inputs are not permitted"),
    ('"LAB_API_KEY"', '"K"\nheaders = {"X Y" = "1"}', "providers.lab: headers: X Y: String should match pattern"),
    ('"LAB_API_KEY"', '"K"\nheaders = {X = "1\\n2"}', "providers.lab: headers: X: String should match pattern"),
    ('"LAB_API_KEY"', '"K"\nquirks = ["odd"]', "providers.lab: quirks: 0: Input should be 'any_for_required',"),
    (
        'dialect = "openai_chat"',
        'dialect = "openai_chat"\ntransport = "anthropic_sdk"',
        "providers.lab: the transport anthropic_sdk is for the dialect anthropic_messages",
    ),
    (
        'dialect = "openai_chat"',
        'dialect = "anthropic_messages"\nquirks = ["random_seed"]',
        "providers.lab: quirks: this dialect has none but inline_images",
    ),
    ('"LAB_API_KEY"', '"K"\ntransport = "carrier pigeon"', "providers.lab: transport: Input should be 'bare', "),
    ("providers.lab", "providers.sandbox", "providers.sandbox: runs in process and can't be replaced"),
    ("providers.lab", "provider.lab", "provider: Extra inputs are not permitted"),
    ("providers.lab", 'providers."L B"', "providers: L B: String should match pattern"),
    ("[[models]]", "[models]", "models: Input should be a valid list"),
    ("input = 1.0", "input = 1.0.0", "not TOML: "),
    ("input = 1.0", "input = 1.0\ninput = 2.0", "not TOML: "),
]


@pytest.mark.parametrize(("right", "wrong", "message"), MISTAKES, ids=[mistake[2][:70] for mistake in MISTAKES])
def test_a_mistake_is_named_in_one_line(right: str, wrong: str, message: str) -> None:
    assert right in LAB

    with pytest.raises(CatalogError) as caught:
        load_catalog(LAB.replace(right, wrong, 1), source="providers.toml")

    assert str(caught.value).startswith("providers.toml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_url_may_hold_a_placeholder() -> None:
    text = LAB.replace("http://127.0.0.1:9000/v1/", "https://${LAB_HOST}/v1")

    assert load_catalog(text).providers["lab"].base_url == "https://${LAB_HOST}/v1"
    assert load_catalog(text, {"LAB_HOST": "lab.example.com"}).providers["lab"].base_url == "https://lab.example.com/v1"


@pytest.mark.parametrize("example", ["ollama", "vllm", "llama-cpp", "hosted", "services"])
def test_the_documented_examples_load(example: str) -> None:
    text = read_operator_file(str(EXAMPLES / f"{example}.toml"))
    catalog, built_in = load_catalog(text), load_catalog()

    assert len(catalog.models) > len(built_in.models)
    assert len(catalog.providers) > len(built_in.providers)


def test_a_file_is_read_from_a_path(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(LAB)

    assert read_operator_file(str(file)) == LAB


@mock_aws
def test_a_file_is_read_from_a_parameter() -> None:
    boto3.client("ssm").put_parameter(Name="/callmissed/lab/providers", Value=LAB, Type="SecureString")

    assert read_operator_file("ssm:/callmissed/lab/providers") == LAB


@mock_aws
def test_a_file_is_read_from_a_bucket() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="lab-config")
    s3.put_object(Bucket="lab-config", Key="callmissed/providers.toml", Body=LAB.encode())

    assert read_operator_file("s3://lab-config/callmissed/providers.toml") == LAB


@mock_aws
@pytest.mark.parametrize("source", ["/nowhere/providers.toml", "ssm:/no/such", "s3://no-such-bucket/key", "."])
def test_what_can_not_be_read_is_one_line(source: str) -> None:
    with pytest.raises(CatalogError, match=r"can't be read: ") as caught:
        read_operator_file(source)

    assert str(caught.value).startswith(f"{source}: ")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "providers.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(CatalogError, match="can't be read"):
        read_operator_file(str(tmp_path / "providers.toml"))
