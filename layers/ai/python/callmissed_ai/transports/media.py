"""Media that a request names by URL, fetched for upstreams that take them inline only.

The URLs are the caller's, so the one safe client fetches them: https, public addresses, no redirects. What a file is
its first bytes say, never its sender.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from callmissed.errors import ApiError, invalid_request
from callmissed.http.client import SafeClient, SendError

MAX_MEDIA = 20
"""Maximum of URLs that are fetched for one request."""

MAX_BYTES = 5 * 1024 * 1024
MAX_TOTAL_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 20.0
"""All of a request's media are there so long after the first was asked for, or the request is refused."""

_PARALLEL = 4
_OK = 200
_HEADERS = {"Accept": "image/*, application/pdf", "User-Agent": "CallMissed"}
_SIGNATURES: Mapping[str, re.Pattern[bytes]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "application/pdf": re.compile(rb"%PDF-"),
}


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """A URL in a request, and where it is: `param`. A document is a PDF, everything else an image."""

    url: str
    param: str
    is_document: bool = False


@dataclass(frozen=True, slots=True)
class InlineMedia:
    """A file as base64."""

    media_type: str
    data: str

    @property
    def data_url(self) -> str:
        """The file as a URL that holds it."""
        return f"data:{self.media_type};base64,{self.data}"


FetchMedia = Callable[[Sequence[MediaUrl]], Awaitable[Mapping[str, InlineMedia]]]
"""The files of these URLs, by URL. Raises ApiError 400 that names the part of the first that can't be had."""


async def fetch_nothing(media: Sequence[MediaUrl]) -> Mapping[str, InlineMedia]:
    """For a process that fetches no URLs. Raises ApiError 400."""
    raise _refused(media[0], "no URL is fetched here")


class MediaFetcher:
    """Fetches media with `client`."""

    def __init__(self, client: SafeClient) -> None:
        self._client = client

    async def fetch(self, media: Sequence[MediaUrl]) -> Mapping[str, InlineMedia]:
        """See `FetchMedia`."""
        by_url = {each.url: each for each in reversed(media)}
        if len(by_url) > MAX_MEDIA:
            raise _refused(media[-1], f"this model's provider takes no URLs, and more than {MAX_MEDIA} are not fetched")
        batch = _Batch(self._client)
        try:
            async with asyncio.timeout(MAX_SECONDS), asyncio.TaskGroup() as group:
                tasks = {url: group.create_task(batch.fetch(each)) for url, each in by_url.items()}
        except TimeoutError:
            raise _refused(media[0], "the request's files were not there in time") from None
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return {url: task.result() for url, task in tasks.items()}

    async def close(self) -> None:
        """Drop the connections; the next call makes new ones."""
        await self._client.close()


class _Batch:
    """The media of one request."""

    def __init__(self, client: SafeClient) -> None:
        self._client = client
        self._free = asyncio.Semaphore(_PARALLEL)
        self._left = MAX_TOTAL_BYTES

    async def fetch(self, media: MediaUrl) -> InlineMedia:
        async with self._free:
            body = await self._body(media)
        self._left -= len(body)
        if self._left < 0:
            raise _refused(media, f"the request's files are larger than {MAX_TOTAL_BYTES:,} bytes together")
        return InlineMedia(_media_type(media, body), base64.b64encode(body).decode())

    async def _body(self, media: MediaUrl) -> bytes:
        try:
            answer = await self._client.send(
                "GET", media.url, headers=_HEADERS, timeout_seconds=MAX_SECONDS, max_bytes=MAX_BYTES
            )
        except SendError as error:
            raise _refused(media, str(error)) from error
        if answer.status != _OK:
            raise _refused(media, f"the endpoint answered {answer.status}")
        if answer.truncated:
            raise _refused(media, f"the file is larger than {MAX_BYTES:,} bytes")
        return answer.body


def _media_type(media: MediaUrl, body: bytes) -> str:
    """What the first bytes say. Raises ApiError 400 for what the part may not hold."""
    found = next((name for name, signature in _SIGNATURES.items() if signature.match(body)), "")
    if not found or (found == "application/pdf") is not media.is_document:
        kinds = "PDF" if media.is_document else "PNG, JPEG, GIF or WebP"
        raise _refused(media, f"the file is no {kinds}")
    return found


def _refused(media: MediaUrl, why: str) -> ApiError:
    return invalid_request(f"The URL in '{media.param}' can't be used: {why}.", media.param, "invalid_media_url")
