"""POST /v1/embeddings."""

from fastapi import APIRouter, Request, Response

from callmissed_ai.services import embeddings
from functions.inference.serving import serve

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embeddings", summary="Create embeddings")
async def create_embeddings(request: Request) -> Response:
    """Turn texts, or token arrays, into vectors, in the OpenAI dialect.

    Up to 128 inputs of 8,192 tokens and 100,000 characters in all; `data` is ordered by `index`. The cost is the
    model's input price times the reported tokens. No monthly quota counts the call. With an `Idempotency-Key` it runs
    and costs once in 24 hours.
    """
    return await serve(request, embeddings.PERMISSION, embeddings.parse)
