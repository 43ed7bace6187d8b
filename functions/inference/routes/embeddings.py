"""POST /v1/embeddings."""

from fastapi import Request, Response

from callmissed.web.openapi import answer
from callmissed_ai.dialects.openai_embeddings.request import EmbeddingsRequest
from callmissed_ai.services import embeddings
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import serve

_VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
    "model": "hashed-ngrams",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
_DESCRIPTION = CallDescription(
    request=EmbeddingsRequest,
    example={"model": "sandbox-embedding", "input": ["Hello!", "Goodbye!"], "dimensions": 256},
    answer={
        "description": "A list with one `embedding` an input, in their order.",
        **answer("EmbeddingListOut", _VECTORS),
    },
)

router = CallRouter("embeddings")


@router.call("/v1/embeddings", summary="Create embeddings", description=_DESCRIPTION)
async def create_embeddings(request: Request) -> Response:
    """Turn texts, or token arrays, into vectors, in the OpenAI dialect.

    Up to 128 inputs of 8,192 tokens and 100,000 characters in all; `data` is ordered by `index`. The cost is the
    model's input price times the reported tokens. No monthly quota counts the call. With an `Idempotency-Key` it runs
    and costs once in 24 hours.
    """
    return await serve(request, embeddings.SERVICE)
