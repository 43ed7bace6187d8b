"""The endpoints of `/v1` as `make cost` calls them: a row for each kind of call, with the routes that it stands for.

Chat and searches are asked of the fake upstream, everything else of the sandbox, for credits: what a call asks of
DynamoDB and S3 does not depend on who answers.
"""

import io
import wave
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2

from bench.load import Job
from bench.ours import Account
from callmissed.files.storage import FileObject, UploadForm
from callmissed.keys.secret import Mode, new_secret
from tests.support.inference.image_objects import MemoryObjects
from tests.support.memory_files import MemoryFiles

Send = Callable[[httpx2.AsyncClient, str], Awaitable[httpx2.Response]]
"""Make the call; the text is the id of what was made before it."""

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
FILES = "/v1/files"
SEARCHES = """\
[providers.fake_search]
dialect = "native"
transport = "serper"
base_url = "{upstream}"

[[models]]
id = "google"
provider = "fake_search"
upstream_id = "search"
category = "search"
unit = "search"
unit_price = 1

[[models]]
id = "exa"
provider = "fake_search"
upstream_id = "search"
category = "search"
unit = "search"
unit_price = 1
"""
"""A part of an operator's file, so that a search without a provider has two to choose from."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A kind of call: its row's title, its key in the price file, the routes that it stands for, and its status.

    `before` makes what the call is about, and is not counted. `leaves` is the key in the price file of what the call
    leaves in S3 for a month, "" for nothing.
    """

    title: str
    name: str
    routes: tuple[str, ...]
    send: Send
    status: int = 200
    before: Send | None = None
    leaves: str = ""


class ObjectMeter:
    """Counts what S3 bills: writes, and reads. It takes nothing for deletions."""

    def __init__(self) -> None:
        self.puts = 0
        self.gets = 0

    def reset(self) -> None:
        """Begin again at nothing."""
        self.puts, self.gets = 0, 0


class CountedImages(MemoryObjects):
    """Images in memory. URLs are signed without S3, and few of a history's are opened."""

    def __init__(self, meter: ObjectMeter) -> None:
        super().__init__()
        self._meter = meter

    async def keep(self, name: str, body: bytes, media_type: str = "") -> None:
        """Count one write."""
        self._meter.puts += 1
        await super().keep(name, body, media_type)


class CountedFiles(MemoryFiles):
    """Files in memory. A form counts as the upload that it is for, and a link as the download."""

    def __init__(self, meter: ObjectMeter) -> None:
        super().__init__()
        self._meter = meter

    async def put(self, name: str, body: bytes) -> str:
        """Count one write."""
        self._meter.puts += 1
        return await super().put(name, body)

    async def form(self, name: str, size: int, seconds: int) -> UploadForm:
        """Count the upload."""
        self._meter.puts += 1
        return await super().form(name, size, seconds)

    async def head(self, name: str) -> FileObject | None:
        """Count one read."""
        self._meter.gets += 1
        return await super().head(name)

    async def read(self, name: str, etag: str, start: int, end: int) -> bytes:
        """Count one read."""
        self._meter.gets += 1
        return await super().read(name, etag, start, end)

    async def link(self, name: str, disposition: str) -> str:
        """Count the download."""
        self._meter.gets += 1
        return await super().link(name, disposition)


def endpoints(account: Account) -> tuple[Endpoint, ...]:
    """Every kind, called with the keys of `account`."""
    keyed = _Keyed(account.live_key)
    return (*_texts(keyed, account), *_media(keyed), *_files(keyed), *_free(keyed))


class _Keyed:
    """Calls with one API key. In a path, `{id}` stands for the id of what was made before the call."""

    def __init__(self, key: str) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}

    def post(self, path: str, body: Mapping[str, Any]) -> Send:
        """A call with a JSON body."""
        return partial(self._request, "POST", path, json=body)

    def form(self, path: str, fields: Mapping[str, str], body: bytes) -> Send:
        """A call with a form and a file in it."""
        return partial(self._request, "POST", path, data=fields, files={"file": ("file.wav", body)})

    def ask(self, method: str, path: str) -> Send:
        """A call without a body."""
        return partial(self._request, method, path)

    async def _request(
        self, method: str, path: str, client: httpx2.AsyncClient, made: str, **content: Any
    ) -> httpx2.Response:
        return await client.request(method, path.replace("{id}", made), headers=self._headers, **content)


def _texts(keyed: _Keyed, account: Account) -> tuple[Endpoint, ...]:
    question = {"model": "sandbox", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    counted = {"model": "sandbox", "messages": question["messages"]}
    asked: Mapping[str, Any] = {"model": "sandbox", "input": "Hello"}
    kept, chat = keyed.post(RESPONSES, asked), (f"POST {CHAT}",)
    stored = f"{RESPONSES}/{{id}}"
    ways = tuple(f"{way} {RESPONSES}/{{response_id}}{rest}" for way, rest in (("GET", ""), ("GET", "/input_items")))
    return (
        Endpoint("chat completion, blocking", "chat_blocking", chat, _chat(account.live_key)),
        Endpoint("chat completion, streaming", "chat_streaming", chat, _chat(account.live_key, stream=True)),
        Endpoint("chat completion with a test key", "test_key", chat, _chat(account.test_key)),
        Endpoint("message (Anthropic)", "messages", _both("POST", "/messages"), keyed.post("/v1/messages", question)),
        Endpoint(
            "response, not stored; compaction",
            "responses",
            (f"POST {RESPONSES}", f"POST {RESPONSES}/compact"),
            keyed.post(RESPONSES, {**asked, "store": False}),
        ),
        Endpoint("response, stored", "responses", (f"POST {RESPONSES}",), kept),
        Endpoint("stored response, shown", "lookup", ways, keyed.ask("GET", stored), before=kept),
        Endpoint(
            "stored response, deleted",
            "lookup",
            (f"DELETE {RESPONSES}/{{response_id}}", f"POST {RESPONSES}/{{response_id}}/cancel"),
            keyed.ask("DELETE", stored),
            before=kept,
        ),
        Endpoint(
            "count of tokens",
            "count_tokens",
            _both("POST", "/messages/count_tokens"),
            keyed.post("/v1/messages/count_tokens", counted),
        ),
        Endpoint(
            "embeddings",
            "embeddings",
            ("POST /v1/embeddings",),
            keyed.post("/v1/embeddings", {"model": "sandbox-embedding", "input": "Hello"}),
        ),
    )


def _media(keyed: _Keyed) -> tuple[Endpoint, ...]:
    spoken = {"model": "sandbox-tts", "input": "Hello", "voice": "alto", "response_format": "wav"}
    drawn = {"model": "sandbox-image", "prompt": "A lighthouse", "size": "64x64"}
    listened = "/v1/audio/transcriptions"
    return (
        Endpoint(
            "transcription, translation",
            "transcription",
            (f"POST {listened}", "POST /v1/audio/translations"),
            keyed.form(listened, {"model": "sandbox-stt"}, _silence()),
        ),
        Endpoint(
            "transcription of a stored file",
            "transcription",
            (f"POST {listened}",),
            _of_stored_audio(keyed, listened),
            before=keyed.form(FILES, {"purpose": "audio"}, _silence()),
        ),
        Endpoint("speech", "speech", ("POST /v1/audio/speech",), keyed.post("/v1/audio/speech", spoken)),
        Endpoint(
            "image",
            "image",
            ("POST /v1/images/generations",),
            keyed.post("/v1/images/generations", drawn),
            leaves="image",
        ),
        Endpoint("history of images", "history", ("GET /v1/images/history",), keyed.ask("GET", "/v1/images/history")),
        Endpoint("search", "search", ("POST /v1/search",), keyed.post("/v1/search", {"query": "webhooks"})),
    )


def _files(keyed: _Keyed) -> tuple[Endpoint, ...]:
    upload = keyed.form(FILES, {"purpose": "user_data"}, b"the bytes of a file")
    announced = keyed.post(FILES, {"filename": "talk.wav", "bytes": 500_000_000, "purpose": "audio"})
    one, known = f"{FILES}/{{id}}", f"{FILES}/{{file_id}}"
    read = keyed.ask("GET", f"{one}/content")
    return (
        Endpoint("file, uploaded", "file_upload", (f"POST {FILES}",), upload, leaves="file"),
        Endpoint("list of files", "lookup", (f"GET {FILES}",), keyed.ask("GET", FILES)),
        Endpoint("file, shown", "lookup", (f"GET {known}",), keyed.ask("GET", one), before=upload),
        Endpoint("file's content", "file_content", (f"GET {known}/content",), read, before=upload),
        Endpoint("file, deleted", "lookup", (f"DELETE {known}",), keyed.ask("DELETE", one), before=upload),
        Endpoint("file, announced and uploaded to S3", "lookup", (f"POST {FILES}",), announced, leaves="large_file"),
    )


def _free(keyed: _Keyed) -> tuple[Endpoint, ...]:
    lists = (*_both("GET", "/models"), *_both("GET", "/models/{model_id+}"))
    generation = keyed.ask("GET", "/v1/generation?id={id}")
    return (
        Endpoint("list of models", "models_list", lists, keyed.ask("GET", "/v1/models")),
        Endpoint("cost of a past call", "lookup", ("GET /v1/generation",), generation, before=_generated(keyed)),
        Endpoint("unknown or revoked key", "refused_key", (), _chat(new_secret(Mode.LIVE)), status=401),
        Endpoint("malformed key", "malformed_key", (), _chat("cm_live_garbage"), status=401),
    )


def _both(method: str, path: str) -> tuple[str, str]:
    """The route in OpenAI's place and in Anthropic's."""
    return f"{method} /v1{path}", f"{method} /anthropic/v1{path}"


def _chat(key: str, *, stream: bool = False) -> Send:
    async def send(client: httpx2.AsyncClient, _made: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return await client.post(CHAT, headers=headers, content=Job("", {}, "fake-chat", stream, 1, 1).body())

    return send


def _generated(keyed: _Keyed) -> Send:
    """A call whose answer has the id of its generation as `id`."""
    embed = keyed.post("/v1/embeddings", {"model": "sandbox-embedding", "input": "Hello"})

    async def send(client: httpx2.AsyncClient, made: str) -> httpx2.Response:
        done = await embed(client, made)
        return httpx2.Response(done.status_code, json={"id": done.headers.get("x-generation-id", "")})

    return send


def _of_stored_audio(keyed: _Keyed, path: str) -> Send:
    """A transcription of the file that was uploaded before."""

    async def send(client: httpx2.AsyncClient, made: str) -> httpx2.Response:
        return await keyed.post(path, {"model": "sandbox-stt", "file_id": made})(client, made)

    return send


def _silence() -> bytes:
    """A WAV file of a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8_000)
        writer.writeframes(bytes(16_000))
    return file.getvalue()
