"""The reply to an embeddings call of the sandbox, whose `model` says what made the vectors."""

import json
from typing import Any

from callmissed_ai.dialects.openai_embeddings.request import EmbeddingsRequest
from callmissed_ai.dialects.openai_embeddings.vectors import encoded
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.embeddings import hashed, small_model
from callmissed_ai.providers.sandbox.embeddings.small_model import SmallModel
from callmissed_ai.providers.sandbox.rejection import Rejected

USUAL_DIMENSIONS = 1_024
_MAX_NUMBERS = 128 * 4_096
"""Numbers in one reply: they are made and written one by one, while other calls wait."""


def embeddings_body(request: EmbeddingsRequest, model: SmallModel | None, *, with_usage: bool) -> bytes:
    """The body of the HTTP reply, by `model` where there is one and it gets texts.

    Raises Rejected for more numbers than a reply may have.
    """
    dimensions = request.dimensions or USUAL_DIMENSIONS
    if len(request.inputs) * dimensions > _MAX_NUMBERS:
        message = f"Invalid 'dimensions': the sandbox makes at most {_MAX_NUMBERS:,} numbers in one reply."
        raise Rejected(message, "dimensions", "invalid_value")
    texts = [each for each in request.inputs if isinstance(each, str)]
    if model and texts:
        name, vectors = small_model.MODEL, model.embed(texts, dimensions, is_query=request.is_query)
    else:
        name, vectors = hashed.MODEL, [hashed.embed(each, dimensions) for each in request.inputs]
    data = [
        {"object": "embedding", "index": index, "embedding": encoded(vector, request.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    reply: dict[str, Any] = {"object": "list", "data": data, "model": name}
    if with_usage:
        used = sum(map(_tokens, request.inputs))
        reply["usage"] = {"prompt_tokens": used, "total_tokens": used}
    return json.dumps(reply, separators=(",", ":")).encode()


def _tokens(text: str | list[int]) -> int:
    return tokens.count(text) if isinstance(text, str) else len(text)
