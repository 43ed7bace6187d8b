"""API models of answers; docs/api/openapi.json is made from them, and answers are not built from them.

They name what callers can rely on. Providers add fields of their own to the answers of calls.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from callmissed.catalog.model import Category


class PricingOut(BaseModel):
    """Prices of a model, for a million tokens or for one unit of another kind."""

    unit: str = Field(description="`per_million_tokens`, `per_image`, `per_minute`, …")
    currency: Literal["USD"]
    input: float | None = None
    output: float | None = None
    cached_input: float | None = None
    cache_write: float | None = None
    price: float | None = Field(default=None, description="Price of one unit, where the model is not billed by tokens.")
    per_minute: float | None = Field(default=None, description="Of a model that is billed by tokens and by the minute.")


class ModelOut(BaseModel):
    """A model of the catalog: OpenAI's four fields, and ours."""

    id: str
    aliases: list[str] = Field(description="Other names of the model; calls may use them, and so may a key's models.")
    object: Literal["model"]
    created: int
    owned_by: str
    name: str
    description: str
    category: Category
    context_window: int | None
    context_length: int | None
    max_output_tokens: int | None
    dimensions: int | None = Field(default=None, description="Of an embedding model, where they are known.")
    pricing: PricingOut | None = Field(description="Null where prices vary by call.")
    free: bool
    status: str
    available: bool = Field(description="Whether a call is served here.")
    unavailable_reason: str | None = Field(description="Why not, where it is not.")
    supports_streaming: bool
    supports_tools: bool
    supports_reasoning: bool
    supports_vision: bool


class ModelListOut(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"]
    data: list[ModelOut]


class AnthropicModelOut(BaseModel):
    """A model that messages can name: Anthropic's fields, and ours."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None
    lifecycle: Literal["active"]
    line: None
    capabilities: None
    deprecated_at: None
    retires_at: None
    aliases: list[str] = Field(description="Other names of the model, as in the OpenAI form.")
    description: str
    category: Literal["llm"]
    context_window: int | None
    context_length: int | None
    pricing: PricingOut
    free: bool
    available: bool = Field(description="Whether a call is served here.")
    unavailable_reason: str | None = Field(description="Why not, where it is not.")
    supports_streaming: bool
    supports_tools: bool
    supports_reasoning: bool
    supports_vision: bool


class AnthropicModelListOut(BaseModel):
    """A page of models, as Anthropic's SDKs read it."""

    data: list[AnthropicModelOut]
    has_more: bool = Field(description="Whether there are more in the direction that was asked for.")
    first_id: str | None = Field(description="`before_id` of the page before this one.")
    last_id: str | None = Field(description="`after_id` of the page after this one.")


class CatalogOut(BaseModel):
    """Models of the catalog."""

    data: list[ModelOut]


class PlanAccessOut(BaseModel):
    """What a plan may call, as ids."""

    models: list[str]
    by_category: dict[str, list[str]]
    restriction: str


class ModelAccessOut(BaseModel):
    """What each plan may call."""

    plans: dict[str, PlanAccessOut]


class TryOut(BaseModel):
    """A request to a provider, in the order in which they were asked; the last one served."""

    provider: str
    model: str
    outcome: str = Field(description="`served`, the provider's status such as `429`, or `no_reply`.")


class GenerationOut(BaseModel):
    """Usage and cost of a past call."""

    id: str
    request_id: str
    model: str
    provider: str
    upstream_model: str
    tries: list[TryOut]
    created_at: str
    streamed: bool
    outcome: str
    tokens_prompt: int
    tokens_cached: int
    tokens_cache_write: int
    tokens_completion: int
    tokens_estimated: bool
    units: dict[str, int] = Field(description="Audio milliseconds, characters, images or searches, by name.")
    cost_credits: float
    price_version: str
    latency_ms: int
    first_byte_ms: int
    sandbox: bool


class GenerationAnswerOut(BaseModel):
    """The answer to a question about a past call."""

    data: GenerationOut


class ChatMessageOut(BaseModel):
    """The reply of one choice."""

    model_config = ConfigDict(extra="allow")

    role: str | None = None
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None


class ChatChoiceOut(BaseModel):
    """One of the `n` replies."""

    model_config = ConfigDict(extra="allow")

    index: int | None = None
    message: ChatMessageOut | None = None
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None


class ChatUsageOut(BaseModel):
    """Tokens of a call."""

    model_config = ConfigDict(extra="allow")

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


class ChatCompletionOut(BaseModel):
    """A `chat.completion`, with whatever else the provider says."""

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    choices: list[ChatChoiceOut]
    usage: ChatUsageOut | None = Field(default=None, description="Null where the provider reports none.")


class TokenCountOut(BaseModel):
    """Tokens of a request."""

    input_tokens: int


class MessageUsageOut(BaseModel):
    """Tokens of a message; input is what was neither read from a cache nor written to one."""

    model_config = ConfigDict(extra="allow")

    input_tokens: int
    output_tokens: int


class MessageOut(BaseModel):
    """A `message`, with whatever else the provider says."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessageUsageOut


class ResponseUsageOut(BaseModel):
    """Tokens of a response; input includes what was read from a cache or written to one."""

    model_config = ConfigDict(extra="allow")

    input_tokens: int
    input_tokens_details: dict[str, Any] | None = None
    output_tokens: int
    output_tokens_details: dict[str, Any] | None = None
    total_tokens: int | None = None


class ResponseOut(BaseModel):
    """A `response`, with whatever else the provider says: the settings of its request, its items and its usage."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: float
    completed_at: float | None = None
    status: Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"]
    background: bool | None = None
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    instructions: str | list[dict[str, Any]] | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    model: str
    output: list[dict[str, Any]]
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: dict[str, Any] | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    temperature: float | None = None
    text: dict[str, Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    usage: ResponseUsageOut | None = Field(default=None, description="Null where the provider reports none.")
    user: str | None = None


class ServerSentEventOut(BaseModel):
    """One event of a stream."""

    model_config = ConfigDict(extra="allow")

    event: str | None = Field(default=None, description="Name of a message's or a response's event.")
    data: str = Field(
        description="JSON of a `chat.completion.chunk`, of a message's or a response's event, or of an object with an "
        "`error`; `[DONE]` in the last event of a chat completion."
    )


class CompactionIn(BaseModel):
    """A conversation to be compacted."""

    model: str = Field(min_length=1, max_length=200, description="A model whose provider speaks this dialect.")
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None


class CompactionOut(BaseModel):
    """A compacted conversation: messages of the user, and an item that its provider alone can read."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[dict[str, Any]]
    usage: dict[str, Any]


class DeletedResponseOut(BaseModel):
    """A stored response that was deleted."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class ResponseItemOut(BaseModel):
    """An item of a conversation, with the fields of its type."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: str


class ResponseItemListOut(BaseModel):
    """Items that a response was made of."""

    object: Literal["list"]
    data: list[ResponseItemOut]
    first_id: str | None = Field(description="Id of the first item; null for an empty list.")
    last_id: str | None
    has_more: bool


class EmbeddingOut(BaseModel):
    """The vector of one input."""

    model_config = ConfigDict(extra="allow")

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 of 32-bit floats where that was asked for.")


class EmbeddingUsageOut(BaseModel):
    """Tokens of all inputs."""

    model_config = ConfigDict(extra="allow")

    prompt_tokens: int
    total_tokens: int


class EmbeddingListOut(BaseModel):
    """A vector for each input, in their order."""

    model_config = ConfigDict(extra="allow")

    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str | None = None
    usage: EmbeddingUsageOut | None = None
