"""Calls over the wire, and what every refusal must look like."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.support.audio_files import wav
from tests.support.inference.behaviours import SECRET_TEXT
from tests.support.inference.gateway import Account
from tests.support.inference.upstream import FakeUpstream

CHAT = "/v1/chat/completions"
HELLO: Mapping[str, Any] = {"model": "lab-chat", "messages": [{"role": "user", "content": "Hello"}]}
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
ASKED: Mapping[str, Any] = {"model": "lab-chat", "input": "Hello"}
EMBEDDINGS = "/v1/embeddings"
TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
SEARCH = "/v1/search"
SOUGHT: Mapping[str, Any] = {"query": "voice agents"}
IMAGES = "/v1/images/generations"
HISTORY = "/v1/images/history"
PICTURED: Mapping[str, Any] = {"model": "lab-image", "prompt": "A lighthouse"}
SPEECH = "/v1/audio/speech"
SPOKEN: Mapping[str, Any] = {"model": "lab-tts", "input": "Hello there", "response_format": "wav"}
TEXTS: Mapping[str, Any] = {"model": "lab-embedding", "input": ["Hello", "there"]}
IMAGE: Mapping[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


FILES = "/v1/files"
FILE: Mapping[str, Any] = {"data": {"purpose": "batch"}, "files": {"file": ("a.txt", b"the bytes of a file")}}


async def chat(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A chat call of `account`, whose body is `HELLO` with `fields` changed."""
    return await client.post(CHAT, json={**HELLO, **fields}, headers={**account.headers, **(headers or {})})


async def message(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A messages call of `account`, whose body is `HELLO` with a limit and `fields` changed."""
    body = {**HELLO, "max_tokens": 50, **fields}
    return await client.post(MESSAGES, json=body, headers={**account.headers, **(headers or {})})


async def respond(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A responses call of `account`, whose body is `ASKED` with `fields` changed."""
    return await client.post(RESPONSES, json={**ASKED, **fields}, headers={**account.headers, **(headers or {})})


async def embed(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """An embeddings call of `account`, whose body is `TEXTS` with `fields` changed."""
    return await client.post(EMBEDDINGS, json={**TEXTS, **fields}, headers={**account.headers, **(headers or {})})


async def search(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A search of `account`, whose body is `SOUGHT` with `fields` changed."""
    return await client.post(SEARCH, json={**SOUGHT, **fields}, headers={**account.headers, **(headers or {})})


async def transcribe(
    client: httpx2.AsyncClient,
    account: Account,
    headers: Mapping[str, str] | None = None,
    *,
    path: str = TRANSCRIPTIONS,
    file: bytes = b"",
    name: str = "a.wav",
    **fields: Any,
) -> httpx2.Response:
    """A transcription of `account`: of a second and a half, unless another `file` is given."""
    files = {"file": (name, file or wav(1.5))}
    form = {"model": "lab-whisper", **fields}
    return await client.post(path, data=form, files=files, headers={**account.headers, **(headers or {})})


async def draw(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A call for images of `account`, whose body is `PICTURED` with `fields` changed."""
    return await client.post(IMAGES, json={**PICTURED, **fields}, headers={**account.headers, **(headers or {})})


async def speak(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **fields: Any
) -> httpx2.Response:
    """A speech call of `account`, whose body is `SPOKEN` with `fields` changed."""
    return await client.post(SPEECH, json={**SPOKEN, **fields}, headers={**account.headers, **(headers or {})})


async def upload(
    client: httpx2.AsyncClient, account: Account, headers: Mapping[str, str] | None = None, **changes: Any
) -> httpx2.Response:
    """An upload of `account`: `FILE` with `changes` of the request."""
    return await client.post(FILES, headers={**account.headers, **(headers or {})}, **{**FILE, **changes})


def refused(
    response: httpx2.Response, status: int, code: str, *, type: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """Check that `response` is this refusal in its path's envelope, without a word of the upstream's; returns it."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    assert SECRET_TEXT not in response.text
    body = response.json()
    error = body.pop("error")
    if body.pop("type", None) == "error":
        error |= {"param": None, "request_id": body.pop("request_id")}
    assert not body
    assert set(error) == {"message", "type", "code", "param", "request_id"}
    assert error["code"] == code, error
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["message"]
    assert type is None or error["type"] == type
    assert param is None or error["param"] == param
    return error


def response_events(body: bytes) -> list[dict[str, Any]]:
    """The events of a responses stream."""
    lines = [line for line in body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def whole_response(response: httpx2.Response) -> dict[str, Any]:
    """The response object, whether it was streamed or not."""
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    return response_events(response.content)[-1]["response"]


def events_of(body: bytes) -> list[Any]:
    """The data of each server-sent event: parsed JSON, or `[DONE]`."""
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line.startswith(b"data: ")]
    return ["[DONE]" if line == b"[DONE]" else json.loads(line) for line in lines]


def sent(upstream: FakeUpstream) -> list[tuple[str, Any]]:
    """Roles and contents of the last chat request."""
    return [(message["role"], message["content"]) for message in upstream.requests[-1].body["messages"]]
