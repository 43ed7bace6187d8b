"""API models that all slices share; docs/api/openapi.json is made from them. Errors are not built from theirs."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

CreditAmount = Annotated[
    str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$", description="Credits, exact.", examples=["12.5"])
]


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is none of the years 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment in a request, with its time zone: one that can be shown in UTC."""


class RequestModel(BaseModel):
    """Body of a request. It has no unknown fields, and `true` is no number there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false, which Python counts as 1 and 0, for a number."""
        if isinstance(value, bool) and _is_number(cls.model_fields[info.field_name or ""].annotation):
            raise ValueError("a boolean is no number")
        return value


def _is_number(annotation: Any) -> bool:
    kinds = {annotation, *get_args(annotation)}
    return not kinds.isdisjoint({int, float}) and bool not in kinds


class OperatorRequest(RequestModel):
    """Body of an operator's request. The tenant's audit log keeps the reason."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1, max_length=500, description="Why; the tenant's audit log keeps it."
    )


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
