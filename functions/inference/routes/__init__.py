"""HTTP routes, one module a resource. `ROUTERS` has the router of each, in the order of the OpenAPI document."""

from functions.inference.routes import (
    anthropic_models,
    chat,
    embeddings,
    files,
    generation,
    images,
    messages,
    models,
    responses,
    search,
    speech,
    stored_responses,
    transcriptions,
)

ROUTERS = (
    chat.router,
    responses.router,
    stored_responses.router,
    messages.router,
    embeddings.router,
    transcriptions.router,
    images.router,
    search.router,
    speech.router,
    files.router,
    models.router,
    anthropic_models.router,
    generation.router,
)
