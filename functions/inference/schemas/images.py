"""Answers with images."""

from pydantic import BaseModel, Field


class ImageOut(BaseModel):
    """One image: its bytes, or its URL."""

    b64_json: str | None = Field(default=None, description="PNG, JPEG or WebP in base64.")
    url: str | None = Field(default=None, description="Works for an hour; with `response_format` `url`.")
    revised_prompt: str | None = None


class ImagesOut(BaseModel):
    """The images that came: as many as were asked for, or fewer."""

    created: int
    data: list[ImageOut]


class PastImageOut(BaseModel):
    """An image of the history."""

    id: str
    url: str = Field(description="Works for an hour.")
    model: str
    size: str
    prompt: str
    negative_prompt: str | None
    revised_prompt: str | None
    seed: int | None
    steps: int | None
    created: str = Field(description="ISO 8601 with microseconds.")


class ImageHistoryOut(BaseModel):
    """One page of a key's images, the newest first."""

    data: list[PastImageOut]
    next_cursor: str | None = Field(description="`before` of the next page; null on the last.")
