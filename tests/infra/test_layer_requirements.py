"""Distributions of the third-party layers, from their recipes and the lock."""

import re
from pathlib import Path

import pytest

from callmissed.platform.functions import FUNCTIONS
from infra.bundling import requirements
from infra.bundling.requirements import DEPS, LayerRecipeError, layer_requirements, listed_distributions


def distributions(name: str) -> set[str]:
    """Names of the distributions that layer `name` installs."""
    return set(re.findall(r"^([\w.-]+)==", layer_requirements(name), flags=re.MULTILINE))


def test_layer_has_what_its_distributions_need_and_no_more() -> None:
    worker = distributions("worker")
    assert {"aiohttp", "yarl", "multidict", "boto3", "botocore", "aws-lambda-powertools"} <= worker
    assert not worker & {"pydantic", "fastapi", "cryptography", "twilio", "openai", "requests"}


def test_layer_has_the_distributions_of_the_layer_that_it_extends() -> None:
    assert listed_distributions("publisher") == listed_distributions("worker") | {"pydantic"}
    assert distributions("worker") < distributions("publisher") < distributions("sender") < distributions("api")


def test_layer_keeps_a_direct_dependency_that_another_distribution_needs() -> None:
    """No recipe lists httpx2: openai needs it. Pydantic is listed by one and needed by the other."""
    assert {"httpx2", "pydantic-core"} <= distributions("inference")


def test_requirements_have_hashes() -> None:
    text = layer_requirements("worker")
    assert text.count("==") <= text.count("--hash=sha256:")


def test_every_recipe_is_used_or_extended() -> None:
    recipes = {path.stem for path in DEPS.glob("*.toml")} - {"trimming"}
    assert recipes == {function.dependencies for function in FUNCTIONS}


def test_recipe_with_an_unlocked_distribution_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.toml").write_text('requirements = ["left-pad", "boto3"]')
    monkeypatch.setattr(requirements, "DEPS", tmp_path)
    with pytest.raises(LayerRecipeError, match=r"odd.toml: not a dependency in pyproject.toml: left-pad"):
        layer_requirements("odd")
