"""HTTP routes, one module a resource. `ROUTERS` has the router of each, in the order of the OpenAPI document."""

from functions.inference.routes import chat, embeddings, generation, messages, models, responses

ROUTERS = (chat.router, responses.router, messages.router, embeddings.router, models.router, generation.router)
