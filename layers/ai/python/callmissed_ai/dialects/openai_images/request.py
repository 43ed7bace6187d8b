"""A request for images: its validation.

https://platform.openai.com/docs/api-reference/images/create, and `negative_prompt`, `seed` and `steps`. OpenAI's fields
that change a provider's price are unknown here: an image has one price.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from callmissed_ai.tokens.blanks import is_blank

MAX_IMAGES = 4
MIN_SIDE, MAX_SIDE = 64, 4_096
"""Pixels of a side."""

_Size = Annotated[str, Field(pattern=r"^[1-9]\d{1,3}x[1-9]\d{1,3}$")]
_Prompt = Annotated[str, Field(min_length=1, max_length=4_000)]


class ImagesRequest(BaseModel):
    """A request for 1 to 4 images."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: str = Field(min_length=1, max_length=200, description="Id of an image model from `GET /v1/models`.")
    prompt: _Prompt
    n: int = Field(default=1, ge=1, le=MAX_IMAGES)
    size: _Size = Field(default="1024x1024", description="Width and height in pixels, 64 to 4096 each.")
    response_format: Literal["b64_json", "url"] = "b64_json"
    negative_prompt: _Prompt | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    steps: Annotated[int, Field(ge=1, le=50)] | None = None
    user: Annotated[str, Field(max_length=256)] | None = None
    stream: Annotated[Literal[False], Field(description="Images come whole: `false` is the one value.")] | None = None

    @field_validator("prompt")
    @classmethod
    def _says_something(cls, prompt: str) -> str:
        if is_blank(prompt):
            raise ValueError("Nothing but blanks")
        return prompt

    @field_validator("size")
    @classmethod
    def _is_within_bounds(cls, size: str) -> str:
        if any(not MIN_SIDE <= side <= MAX_SIDE for side in sides(size)):
            raise ValueError(f"A side has {MIN_SIDE} to {MAX_SIDE:,} pixels")
        return size


def sides(size: str) -> tuple[int, int]:
    """Width and height in a `size` of the right shape."""
    width, _, height = size.partition("x")
    return int(width), int(height)
