"""What the OpenAPI document says of `/v1` and the catalog, from the same routes and models that serve them."""

from typing import Any

from fastapi import FastAPI

from callmissed.idempotency.requests import HEADER
from callmissed_ai.dialects.openai_chat.request import ChatRequest
from callmissed_ai.dialects.openai_embeddings.request import EmbeddingsRequest
from functions.inference.app import ROUTERS

_CHAT_EXAMPLE = {"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
_CHUNK = 'data: {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'

_EMBEDDINGS_EXAMPLE = {"model": "sandbox-embedding", "input": ["Hello!", "Goodbye!"], "dimensions": 256}
_VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
    "model": "hashed-ngrams",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}

_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Runs and charges a blocking call once in 24 hours. A replay carries `Idempotent-Replayed: true`.",
}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    api = FastAPI(title="CallMissed")
    for router in ROUTERS:
        api.include_router(router)
    schema = api.openapi()
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for model in (ChatRequest, EmbeddingsRequest):
        request = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= request.pop("$defs", {}) | {model.__name__: request}
    _describe_chat(schema["paths"]["/v1/chat/completions"]["post"])
    _describe_embeddings(schema["paths"]["/v1/embeddings"]["post"])
    for path, operations in schema["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = [{"key": []}]
    return schema


def _describe_chat(operation: dict[str, Any]) -> None:
    """The body and answers that the route reads and writes as bytes, which FastAPI therefore can't see."""
    content = {
        "application/json": {"schema": {"type": "object"}},
        "text/event-stream": {"schema": {"type": "string"}, "example": _CHUNK},
    }
    description = "A `chat.completion`, or its chunks as server-sent events when `stream` is true."
    _describe(operation, "ChatRequest", _CHAT_EXAMPLE, {"description": description, "content": content})


def _describe_embeddings(operation: dict[str, Any]) -> None:
    """As `_describe_chat`."""
    content = {"application/json": {"schema": {"type": "object"}, "example": _VECTORS}}
    answer = {"description": "A list with one `embedding` an input, in their order.", "content": content}
    _describe(operation, "EmbeddingsRequest", _EMBEDDINGS_EXAMPLE, answer)


def _describe(operation: dict[str, Any], schema: str, example: object, answer: dict[str, Any]) -> None:
    body = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}
    operation["parameters"] = [_KEY]
    operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    refusals = {status: {"description": meaning} for status, meaning in _REFUSALS.items()}
    operation["responses"] = {"200": answer, **refusals}


_REFUSALS = {
    "400": "`invalid_request_error`, `unsupported_image_input`, `context_length_exceeded`, `invalid_idempotency_key`",
    "401": "`invalid_api_key`: no key, an unknown, revoked or expired one",
    "402": "`insufficient_credits`, `budget_exceeded`",
    "403": "`permission_denied`, `domain_not_allowed`, `model_not_allowed`, `model_not_available`, `account_inactive`",
    "404": "`model_not_found`",
    "409": "`idempotency_conflict`, `idempotency_in_progress`; wait `Retry-After` seconds",
    "413": "`file_too_large`: the body is over 4 MB",
    "429": "`rate_limit_exceeded`, `quota_exceeded`; wait `Retry-After` seconds",
    "502": "`upstream_error`: the provider's reply can't be used; nothing is charged",
    "503": "`provider_error`, `model_under_maintenance`, `service_unavailable`; nothing is charged",
}
