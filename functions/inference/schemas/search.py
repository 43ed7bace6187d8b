"""Answers of searches."""

from pydantic import BaseModel, Field


class SearchResultOut(BaseModel):
    """One page that was found."""

    title: str
    url: str
    snippet: str | None = None
    content: str | None = Field(default=None, description="Text of the page, where it was asked for.")
    published_date: str | None = None
    score: float | None = Field(default=None, description="The provider's own measure, where it has one.")
    source: str | None = Field(default=None, description="Host of the page.")


class SearchOut(BaseModel):
    """What a search found."""

    query: str
    mode: str
    provider: str = Field(description="The provider that answered.")
    results: list[SearchResultOut]
    answer: str | None = Field(description="The provider's own answer, where it writes one.")
    images: list[str] | None = Field(description="Addresses of images, where images were asked for.")
    credits_used: float
    balance: float | None = Field(description="Credits that are left; null for a test key.")
    request_id: str
    latency_ms: int
