"""The inference slice's routes: AI calls, and the models that they may name."""

from callmissed.platform.routes.route import Auth, Permission, Route


def _route(method: str, path: str, auth: Auth, permission: Permission | None = None) -> Route:
    return Route(method, path, "inference", auth, permission, streaming=True)


ROUTES = (
    _route("POST", "/v1/chat/completions", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/responses", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/messages", Auth.KEY, Permission.LLM),
    _route("POST", "/anthropic/v1/messages", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/messages/count_tokens", Auth.KEY, Permission.LLM),
    _route("POST", "/anthropic/v1/messages/count_tokens", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/responses/compact", Auth.KEY, Permission.LLM),
    _route("GET", "/v1/responses/{response_id}", Auth.KEY, Permission.LLM),
    _route("DELETE", "/v1/responses/{response_id}", Auth.KEY, Permission.LLM),
    _route("GET", "/v1/responses/{response_id}/input_items", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/responses/{response_id}/cancel", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/embeddings", Auth.KEY, Permission.LLM),
    _route("POST", "/v1/audio/transcriptions", Auth.KEY, Permission.STT),
    _route("POST", "/v1/audio/translations", Auth.KEY, Permission.STT),
    _route("POST", "/v1/images/generations", Auth.KEY, Permission.IMAGE),
    _route("GET", "/v1/images/history", Auth.KEY, Permission.IMAGE),
    _route("POST", "/v1/audio/speech", Auth.KEY, Permission.TTS),
    _route("POST", "/v1/search", Auth.KEY, Permission.SEARCH),
    # Files ask for `llm` or, for audio, `stt`: the function decides by the file.
    _route("POST", "/v1/files", Auth.KEY),
    _route("GET", "/v1/files", Auth.KEY),
    _route("GET", "/v1/files/{file_id}", Auth.KEY),
    _route("DELETE", "/v1/files/{file_id}", Auth.KEY),
    _route("GET", "/v1/files/{file_id}/content", Auth.KEY),
    _route("GET", "/v1/models", Auth.KEY),
    _route("GET", "/v1/models/{model_id+}", Auth.KEY),
    _route("GET", "/anthropic/v1/models", Auth.KEY),
    _route("GET", "/anthropic/v1/models/{model_id+}", Auth.KEY),
    _route("GET", "/v1/generation", Auth.KEY),
    _route("GET", "/api/v1/models", Auth.PUBLIC),
    _route("GET", "/api/v1/models/access", Auth.PUBLIC),
    _route("GET", "/api/v1/models/{model_id+}", Auth.PUBLIC),
)
