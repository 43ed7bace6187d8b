"""What the OpenAPI document says of `/v1` and the catalog, from the same routes and models that serve them."""

from collections.abc import Iterator
from typing import Any

from callmissed.web.openapi import IDEMPOTENCY_KEY, JSON, document_of, reference, schemas_of
from callmissed.web.schemas import AnthropicErrorEnvelope, ErrorEnvelope, OpenAIErrorEnvelope
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.files.uploads import FileAnnouncement, FileUploadForm
from functions.inference.routes import ROUTERS
from functions.inference.schemas.files import CreatedFileOut, DeletedFileOut, FileListOut, FileOut
from functions.inference.schemas.images import ImageHistoryOut, ImagesOut
from functions.inference.schemas.search import SearchOut
from functions.inference.schemas.speech import SpeechEventOut
from functions.inference.schemas.text import (
    AnthropicModelListOut,
    AnthropicModelOut,
    CatalogOut,
    ChatCompletionOut,
    CompactionOut,
    DeletedResponseOut,
    EmbeddingListOut,
    GenerationAnswerOut,
    MessageOut,
    ModelAccessOut,
    ModelListOut,
    ModelOut,
    ResponseItemListOut,
    ResponseOut,
    ServerSentEventOut,
    TokenCountOut,
)
from functions.inference.schemas.transcription import TranscriptionOut

_ENVELOPES = (ErrorEnvelope, OpenAIErrorEnvelope, AnthropicErrorEnvelope)
_ANSWERS = (
    AnthropicModelListOut,
    AnthropicModelOut,
    CatalogOut,
    ChatCompletionOut,
    CompactionOut,
    CreatedFileOut,
    DeletedFileOut,
    DeletedResponseOut,
    EmbeddingListOut,
    FileListOut,
    FileOut,
    GenerationAnswerOut,
    ImageHistoryOut,
    ImagesOut,
    MessageOut,
    ModelAccessOut,
    ModelListOut,
    ModelOut,
    ResponseOut,
    ResponseItemListOut,
    SearchOut,
    ServerSentEventOut,
    SpeechEventOut,
    TokenCountOut,
    TranscriptionOut,
)

_REQUESTS = (FileAnnouncement, FileUploadForm)
"""Bodies that a route takes beside others, and names itself."""

_KEY = IDEMPOTENCY_KEY | {
    "description": "Runs and charges a blocking call once in 24 hours; a stream ignores it. A replay carries "
    "`Idempotent-Replayed: true`.",
}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    descriptions = dict(_descriptions())
    requests = [description.request for description in descriptions.values()]
    document = document_of(ROUTERS, schemas_of(*_ENVELOPES, *_ANSWERS, *_REQUESTS, *requests))
    for path, description in descriptions.items():
        _describe(document["paths"][path]["post"], description)
    for path, operations in document["paths"].items():
        if path.startswith(("/v1/", "/anthropic/")):
            for operation in operations.values():
                operation["security"] = [{"key": []}]
    return document


def _descriptions() -> Iterator[tuple[str, CallDescription]]:
    for router in ROUTERS:
        if isinstance(router, CallRouter):
            yield from router.descriptions.items()


def _describe(operation: dict[str, Any], description: CallDescription) -> None:
    schema = reference(description.request.__name__)
    if description.repeatable:
        operation["parameters"] = [_KEY]
    content = {description.media_type: {"schema": schema, "example": description.example}}
    if description.as_json:
        content[JSON] = {"schema": schema, "example": description.as_json}
    operation["requestBody"] = {"required": True, "content": content}
