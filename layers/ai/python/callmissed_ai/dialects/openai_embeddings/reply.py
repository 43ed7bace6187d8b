"""Replies with vectors: in the order of the inputs, and in the encoding of the request."""

import json
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.reply import objects
from callmissed_ai.dialects.openai_embeddings.vectors import Encoding, converted, dimensions_of
from callmissed_ai.tokens.usage import MAX_TOKENS


def converted_reply(
    body: bytes, reply: dict[str, Any], *, inputs: int, encoding: Encoding, dimensions: int | None
) -> bytes:
    """`body` unchanged if it has the requested order and encoding, else with its vectors ordered and encoded so.

    Raises UnusableReply for a reply without one vector per input, or with other `dimensions` than requested.
    """
    given = objects(reply.get("data"))
    ordered = _ordered(given, inputs)
    data = [{**vector, "embedding": converted(vector.get("embedding"), encoding)} for vector in ordered]
    if dimensions and any(dimensions_of(vector["embedding"]) != dimensions for vector in data):
        raise UnusableReply("vectors of another size than was asked for")
    if data == given == reply.get("data"):
        return body
    return json.dumps({**reply, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def _ordered(vectors: list[dict[str, Any]], inputs: int) -> list[dict[str, Any]]:
    by_index = {vector.get("index"): vector for vector in vectors if isinstance(vector.get("index"), int)}
    if len(vectors) != inputs or by_index.keys() != set(range(inputs)):
        raise UnusableReply("not one vector an input")
    return [by_index[index] for index in range(inputs)]


def read_input_tokens(value: object) -> int | None:
    """Tokens in the `usage` object of a reply, or None where there are none that make sense. A zero is kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    known = [usage[name] for name in ("prompt_tokens", "total_tokens") if type(usage.get(name)) is int]
    return known[0] if known and 0 <= known[0] <= MAX_TOKENS else None
