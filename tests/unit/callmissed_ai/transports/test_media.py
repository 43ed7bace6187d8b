"""Fetched media: what they may be, how large, and how each refusal names its part."""

import asyncio
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from callmissed.errors import ApiError
from callmissed.http.client import AddressRefused, Answer, SafeClient, SendError
from callmissed_ai.transports import media
from callmissed_ai.transports.media import InlineMedia, MediaFetcher, MediaUrl, fetch_nothing

PNG = b"\x89PNG\r\n\x1a\n rest"
KINDS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\n\x00\x00\x00WEBPVP8 ",
}


class Files(SafeClient):
    """Answers by URL, in the place of the network."""

    def __init__(self, **files: bytes | int | SendError) -> None:
        super().__init__()
        self.files = files
        self.asked: list[str] = []

    async def send(self, method: str, url: str, *, max_bytes: int = 0, **_others: Any) -> Answer:
        self.asked.append(url)
        await asyncio.sleep(0)
        found = self.files[url]
        if isinstance(found, SendError):
            raise found
        status, body = (found, b"") if isinstance(found, int) else (200, found)
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "image/png"}))
        return Answer(status, headers, body[:max_bytes], len(body) > max_bytes, 1)


def image(url: str, param: str = "messages.0.content.1") -> MediaUrl:
    return MediaUrl(url, param)


async def refused(files: Files, *asked: MediaUrl) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        await MediaFetcher(files).fetch(asked)
    assert (refusal.value.status, refusal.value.code) == (400, "invalid_media_url")
    return refusal.value


@pytest.mark.parametrize("media_type", KINDS)
async def test_first_bytes_say_what_a_file_is(media_type: str) -> None:
    found = await MediaFetcher(Files(a=KINDS[media_type])).fetch([image("a")])

    assert found["a"].media_type == media_type
    assert found["a"].data_url.startswith(f"data:{media_type};base64,")


async def test_document_is_a_pdf() -> None:
    found = await MediaFetcher(Files(a=b"%PDF-1.7")).fetch([MediaUrl("a", "p", is_document=True)])

    assert found == {"a": InlineMedia("application/pdf", "JVBERi0xLjc=")}


async def test_url_that_comes_twice_is_fetched_once() -> None:
    files = Files(a=PNG, b=PNG)

    found = await MediaFetcher(files).fetch([image("a"), image("b"), image("a")])

    assert sorted(files.asked) == ["a", "b"]
    assert found.keys() == {"a", "b"}


REFUSED: list[tuple[Any, str]] = [
    (404, "answered 404"),
    (302, "answered 302"),
    (500, "answered 500"),
    (AddressRefused(), "no public address"),
    (b"<svg xmlns=''/>", "no PNG"),
    (b"<html>", "no PNG"),
    (b"", "no PNG"),
    (b"%PDF-1.7", "no PNG"),
    (PNG + bytes(media.MAX_BYTES), "larger than 5,242,880"),
]


@pytest.mark.parametrize(("file", "why"), REFUSED)
async def test_file_that_can_not_be_used_is_refused_by_its_part(file: Any, why: str) -> None:
    error = await refused(Files(a=PNG, b=file), image("a"), image("b", "messages.3.content.0"))

    assert error.param == "messages.3.content.0"
    assert why in error.message


async def test_image_is_no_document() -> None:
    error = await refused(Files(a=PNG), MediaUrl("a", "p", is_document=True))

    assert "no PDF" in error.message


async def test_files_are_bounded_together() -> None:
    large = PNG + bytes(media.MAX_BYTES - len(PNG))
    files = Files(**dict.fromkeys("abcd", large))

    assert "together" in (await refused(files, *map(image, "abcd"))).message


async def test_number_of_files_is_bounded_before_any_is_fetched() -> None:
    files = Files()

    await refused(files, *[image(str(number)) for number in range(media.MAX_MEDIA + 1)])

    assert files.asked == []


async def test_time_is_bounded_for_all_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Files):
        async def send(self, method: str, url: str, *, max_bytes: int = 0, **_others: Any) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    monkeypatch.setattr(media, "MAX_SECONDS", 0.01)

    assert "in time" in (await refused(Slow(), image("a"))).message


async def test_process_that_fetches_nothing_refuses() -> None:
    with pytest.raises(ApiError) as refusal:
        await fetch_nothing([image("a", "p")])

    assert refusal.value.param == "p"
