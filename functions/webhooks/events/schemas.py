"""API models of event types; docs/api/openapi.json is made from them."""

from typing import Any

from pydantic import BaseModel, Field


class EventTypeOut(BaseModel):
    """A kind of event, and what its `data` holds."""

    name: str
    version: int
    description: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of `data`.")
    example: dict[str, Any]


class EventTypesOut(BaseModel):
    """All event types."""

    data: list[EventTypeOut]
