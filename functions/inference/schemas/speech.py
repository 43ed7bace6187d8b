"""Answers of speech."""

from pydantic import BaseModel, Field


class SpeechEventOut(BaseModel):
    """One event of speech."""

    data: str = Field(
        description="JSON of a `speech.audio.delta` with its `audio` in base64, of the `speech.audio.done` with the "
        "`usage`, or of an object with an `error`."
    )
