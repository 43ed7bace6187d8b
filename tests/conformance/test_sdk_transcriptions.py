"""Transcriptions and translations through the official Python SDK, in every format."""

import asyncio
from typing import Any

import pytest
from openai import OpenAI

from callmissed.keys.secret import Mode
from tests.support.audio_files import recorded
from tests.support.inference.gateway import Accounts


async def test_sdk_reads_every_format_and_the_stream(base_url: str, accounts: Accounts) -> None:
    tester = await accounts.account(mode=Mode.TEST)
    file = ("note.ogg", recorded("opus.ogg"))

    def transcribed(**fields: Any) -> Any:
        return audio.transcriptions.create(model="whisper", file=file, **fields)

    def called() -> None:
        verbose = transcribed(response_format="verbose_json", timestamp_granularities=["word", "segment"])
        assert (verbose.duration, verbose.words[0].word, verbose.segments[0].id) == (1.52, "This", 0)
        assert transcribed().usage.seconds == 1.52
        assert transcribed(response_format="text") == "This is the sandbox.\n"
        assert transcribed(response_format="srt").startswith("1\n00:00:00,000 --> 00:00:01,520\n")
        assert transcribed(response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.520\n")
        assert transcribed(response_format="diarized_json").segments[0].speaker == "A"
        with pytest.deprecated_call():  # as OpenAI sees it
            assert audio.translations.create(model="whisper", file=file).text == "This is the sandbox."
        *deltas, done = transcribed(stream=True)
        assert "".join(event.delta for event in deltas) == done.text == "This is the sandbox."

    with OpenAI(base_url=base_url, api_key=tester.secret, max_retries=0) as client:
        audio: Any = client.audio
        await asyncio.to_thread(called)
