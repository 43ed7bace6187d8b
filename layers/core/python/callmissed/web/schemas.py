"""API models that all slices share; docs/api/openapi.json is made from them. Errors are not built from theirs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RequestModel(BaseModel):
    """Body of a request; it has no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OperatorRequest(RequestModel):
    """Body of an operator's request. The tenant's audit log keeps the reason."""

    reason: str = Field(min_length=1, max_length=500, description="Why; the tenant's audit log keeps it.")


class ErrorDetails(BaseModel):
    """Why a request failed."""

    code: str
    message: str
    type: str
    request_id: str
    details: list[dict[str, Any]] | None = Field(
        default=None, description="On 422: `loc` and `msg` of everything that is wrong."
    )


class ErrorEnvelope(BaseModel):
    """The body of every error below `/api/v1`."""

    error: ErrorDetails


class OpenAIErrorDetails(BaseModel):
    """Why a call failed, as the OpenAI SDKs read it."""

    code: str
    message: str
    type: str
    param: str | None = Field(description="The field of the request that is wrong.")
    request_id: str


class OpenAIErrorEnvelope(BaseModel):
    """The body of every error below `/v1`."""

    error: OpenAIErrorDetails


class AnthropicErrorDetails(BaseModel):
    """Why a call failed, as the Anthropic SDKs read it."""

    type: str
    message: str
    code: str


class AnthropicErrorEnvelope(BaseModel):
    """The body of every error below `/v1/messages` and `/anthropic`."""

    type: Literal["error"]
    error: AnthropicErrorDetails
    request_id: str
