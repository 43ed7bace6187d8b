"""Answers of transcriptions."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class TranscriptionUsageOut(BaseModel):
    """What is billed."""

    type: Literal["duration"]
    seconds: float = Field(description="The longer of what was measured and what the provider reports.")


class TranscriptionOut(BaseModel):
    """A transcription as `json`, `verbose_json` or `diarized_json`."""

    text: str
    usage: TranscriptionUsageOut
    task: str | None = Field(default=None, description="`transcribe` or `translate`; not in `json`.")
    language: str | None = Field(default=None, description="Only in `verbose_json`.")
    duration: float | None = Field(default=None, description="Seconds that were measured; not in `json`.")
    segments: list[dict[str, Any]] | None = Field(default=None, description="Parts with `start`, `end` and `text`.")
    words: list[dict[str, Any]] | None = Field(default=None, description="Words with `start` and `end`, where asked.")
    logprobs: list[dict[str, Any]] | None = None
