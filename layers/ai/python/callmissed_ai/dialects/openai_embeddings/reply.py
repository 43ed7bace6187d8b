"""Replies with vectors: in the order of the inputs, and in the encoding of the request."""

import json
from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.reply import objects
from callmissed_ai.dialects.openai_embeddings.vectors import Encoding, converted, dimensions_of
from callmissed_ai.tokens.usage import MAX_TOKENS


def converted_reply(
    body: bytes, reply: dict[str, Any], *, inputs: int, encoding: Encoding, dimensions: int | None
) -> bytes:
    """`body` unchanged if it has the requested order and encoding, else with its vectors ordered and encoded so.

    Raises UnusableReply for a reply without one vector per input, with vectors of more than one size, or with other
    `dimensions` than requested.
    """
    given = objects(reply.get("data"))
    ordered = _ordered(given, inputs)
    data = [{**vector, "embedding": converted(vector.get("embedding"), encoding)} for vector in ordered]
    sizes = {dimensions_of(vector["embedding"]) for vector in data}
    if sizes != {dimensions or max(sizes)}:
        raise UnusableReply("vectors of another size than was asked for, or of several")
    if data == given == reply.get("data"):
        return body
    return _written({**reply, "data": data})


def _ordered(vectors: list[dict[str, Any]], inputs: int) -> list[dict[str, Any]]:
    by_index = {vector["index"]: vector for vector in vectors if type(vector.get("index")) is int}
    if len(vectors) != inputs or by_index.keys() != set(range(inputs)):
        raise UnusableReply("not one vector an input")
    return [by_index[index] for index in range(inputs)]


def _written(reply: Mapping[str, Any]) -> bytes:
    """`reply` as JSON. Some of what Python reads as JSON is none: half of a surrogate pair, NaN."""
    try:
        return json.dumps(reply, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise UnusableReply("not JSON") from None


def read_input_tokens(value: object) -> int | None:
    """Tokens in the `usage` object of a reply, or None where there are none that make sense. A zero is kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    known = [usage[name] for name in ("prompt_tokens", "total_tokens") if type(usage.get(name)) is int]
    return known[0] if known and 0 <= known[0] <= MAX_TOKENS else None
