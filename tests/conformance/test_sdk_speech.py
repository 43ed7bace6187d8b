"""Speech through the official Python SDK and the local stack's gateway."""

import base64

import openai
import pytest
import pytest_asyncio
from openai import OpenAI

from tests.support.inference.behaviours import WAV, fails, says, streams
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream, Gate
from tests.support.inference.wire import events_of


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


@pytest.fixture
def client(base_url: str, account: Account) -> OpenAI:
    return OpenAI(base_url=base_url, api_key=account.secret, max_retries=0)


def test_audio_is_read_whole_or_as_it_comes(client: OpenAI, upstream: FakeUpstream) -> None:
    whole = client.audio.speech.create(model="lab-tts", voice="echo", input="Hello", response_format="wav")
    gate = Gate()
    upstream.will(streams([WAV[:1_000], gate, WAV[1_000:]]))

    with client.audio.speech.with_streaming_response.create(
        model="lab-tts", voice="echo", input="Hello", response_format="wav"
    ) as speech:
        parts = speech.iter_bytes(256)
        first = next(parts)  # the upstream has not sent the rest
        gate.open()
        rest = b"".join(parts)

    assert whole.content == first + rest == WAV
    assert speech.headers["content-type"] == "audio/wav"


def test_events_are_read_as_they_come(client: OpenAI, upstream: FakeUpstream) -> None:
    answer = client.audio.speech.create(
        model="lab-tts", voice="echo", input="Hello", response_format="wav", stream_format="sse"
    )

    *deltas, done = events_of(answer.content)
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == WAV
    assert (done["type"], done["usage"]) == ("speech.audio.done", {"characters": 5})


def test_long_audio_of_an_idempotency_key_is_replayed(client: OpenAI, upstream: FakeUpstream) -> None:
    long, key = WAV + bytes(300_000), {"Idempotency-Key": "long-audio"}
    upstream.will(says(long, "audio/wav"))

    answers = [
        client.audio.speech.with_raw_response.create(
            model="lab-tts", voice="echo", input="Hello", response_format="wav", extra_headers=key
        )
        for _ in range(2)
    ]

    assert [answer.content for answer in answers] == [long, long]
    assert {answer.headers["content-type"] for answer in answers} == {"audio/wav"}


def test_audio_that_breaks_off_is_an_error(client: OpenAI, upstream: FakeUpstream) -> None:
    upstream.will(streams([WAV[:1_000]], breaks=True))

    with pytest.raises((openai.APIConnectionError, openai.APIError)):
        client.audio.speech.create(model="lab-tts", voice="echo", input="Hello", response_format="wav")


def test_refusal_is_the_sdks_own_error(client: OpenAI, upstream: FakeUpstream) -> None:
    upstream.will(fails(400, param="voice"))

    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="lab-tts", voice="echo", input="Hello")

    assert refused.value.param == "voice"
