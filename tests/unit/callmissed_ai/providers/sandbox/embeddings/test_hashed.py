"""The sandbox's embeddings: deterministic, of length one, near where words are shared, and honest."""

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.providers.sandbox.embeddings.hashed import MODEL, embed
from callmissed_ai.transports.base import UpstreamUnreachable


async def asked(sandbox: Any, value: Any, status: int = 200, **fields: Any) -> dict[str, Any]:
    reply = await sandbox.send({"model": "sandbox-embedding", "input": value, **fields}, "/embeddings")
    content = b"".join([chunk async for chunk in reply.chunks()])
    assert reply.status == status, content
    return json.loads(content)


def cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


@given(st.text(max_size=200) | st.lists(st.integers(0, 10**6), min_size=1, max_size=50), st.integers(1, 2048))
def test_vector_has_the_dimensions_and_length_one(value: Any, dimensions: int) -> None:
    vector = embed(value, dimensions)

    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-9)
    assert vector == embed(value, dimensions)


def test_texts_with_words_in_common_are_nearer_than_others() -> None:
    refund = embed("How do I get a refund for my order?", 1024)
    near, far = embed("Refunds: when an order is refunded", 1024), embed("The weather in Oslo is cold today", 1024)

    assert cosine(refund, near) > cosine(refund, far) + 0.2
    assert math.isclose(cosine(refund, embed("HOW DO I GET A REFUND FOR MY ORDER", 1024)), 1.0, rel_tol=1e-9)


def test_token_lists_with_tokens_in_common_are_nearer_than_others() -> None:
    first = embed([1, 2, 3, 4, 5], 1024)

    assert cosine(first, embed([1, 2, 3, 4, 9], 1024)) > cosine(first, embed([10, 20, 30, 40], 1024)) + 0.2


async def test_reply_names_what_made_the_vectors_and_counts_tokens(sandbox: Any) -> None:
    reply = await asked(sandbox, ["Hello there", [1, 2, 3]][:1])

    assert reply["model"] == MODEL
    assert reply["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert [vector["index"] for vector in reply["data"]] == [0]
    assert len(reply["data"][0]["embedding"]) == 1024


async def test_base64_is_the_same_vectors_as_float32(sandbox: Any) -> None:
    floats = await asked(sandbox, ["a b", "c d"], dimensions=8)
    packed = await asked(sandbox, ["a b", "c d"], dimensions=8, encoding_format="base64")

    for one, other in zip(floats["data"], packed["data"], strict=True):
        unpacked = struct.unpack("<8f", base64.b64decode(other["embedding"]))
        assert unpacked == pytest.approx(one["embedding"], abs=1e-6)


async def test_tokens_of_a_token_list_are_its_length(sandbox: Any) -> None:
    assert (await asked(sandbox, [[1, 2, 3], [4]]))["usage"]["prompt_tokens"] == 4


@pytest.mark.parametrize(
    ("instruction", "status"), [("rate_limit", 429), ("error", 500), ("bad_request", 400), ("auth", 401)]
)
async def test_failures_are_requested_as_in_chat(sandbox: Any, instruction: str, status: int) -> None:
    assert "error" in await asked(sandbox, ["x", f"sandbox:{instruction}"], status)


async def test_usage_is_left_out_on_demand(sandbox: Any) -> None:
    assert "usage" not in await asked(sandbox, "sandbox:no_usage")


async def test_reply_is_garbage_or_late_or_cut_on_demand(sandbox: Any) -> None:
    reply = await sandbox.send({"model": "m", "input": "sandbox:garbage"}, "/embeddings")
    assert b"<html>" in b"".join([chunk async for chunk in reply.chunks()])
    with pytest.raises(UpstreamUnreachable):
        await sandbox.send({"model": "m", "input": "sandbox:timeout"}, "/embeddings")
    reply = await sandbox.send({"model": "m", "input": "sandbox:cut"}, "/embeddings")
    with pytest.raises(UpstreamUnreachable):
        _ = [chunk async for chunk in reply.chunks()]


async def test_more_numbers_than_a_reply_may_have_are_refused(sandbox: Any) -> None:
    error = (await asked(sandbox, ["a"] * 128, 400, dimensions=4097))["error"]

    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "dimensions", "invalid_value")


async def test_wrong_request_is_refused_as_openai_refuses(sandbox: Any) -> None:
    error = (await asked(sandbox, [], 400))["error"]

    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "input", "empty_array")
