"""Models that keys may call: the stage's catalog, the operator's models included."""

from pathlib import Path

import pytest

from callmissed.errors import ApiError
from callmissed.settings import CoreSettings
from functions.auth.api_keys.models import ModelNames

OPERATOR_FILE = """
[providers.lab]
base_url = "http://127.0.0.1:9000/v1"
[[models]]
id = "lab-chat"
provider = "lab"
upstream_id = "some-model"
input = 1
output = 1
context_window = 8192
aliases = ["lab"]
"""


async def test_operators_models_are_known_by_id_and_alias(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(OPERATOR_FILE)
    names = ModelNames(CoreSettings(providers_file=str(file)))

    assert await names.resolved(frozenset({"lab", "lab-chat:nitro", "gpt-4o"})) == {"lab-chat", "gpt-4o"}
    file.unlink()
    assert await names.resolved(frozenset({"lab"})) == {"lab-chat"}


@pytest.mark.parametrize("name", ["lab-chat", "gpt-0", "openai/", "", "\ud800", "claude-0"])
async def test_model_outside_the_catalog_is_named_in_the_refusal(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        await ModelNames(CoreSettings()).resolved(frozenset({name, "gpt-4o"}))

    assert (refused.value.status, refused.value.param) == (400, "allowed_models")
