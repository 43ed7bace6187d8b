import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from callmissed_ai.providers.sandbox.images import image_size

FORMATS = ["PNG", "JPEG", "GIF", "WEBP"]


def drawn(kind: str, width: int, height: int, **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, kind, **options)
    return out.getvalue()


def message(*urls: str, detail: str | None = None) -> list[dict]:
    images = [{"type": "image_url", "image_url": {"url": url, "detail": detail}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *images]}]


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (17, 2000)])
def test_sizes_as_pillow_writes_them(kind, size):
    assert image_size(drawn(kind, *size)) == ("WebP" if kind == "WEBP" else kind, *size)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\b\0\0\0\0\0\0"}])
def test_lossless_and_extended_webp(options):
    assert image_size(drawn("WEBP", 300, 200, **options)) == ("WebP", 300, 200)


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0" + b"\xff\xc0" * 2000}])
def test_progressive_jpeg_and_jpeg_with_metadata(options):
    assert image_size(drawn("JPEG", 300, 200, **options)) == ("JPEG", 300, 200)


@given(data=st.binary(max_size=200), kind=st.sampled_from(FORMATS), at=st.integers(0, 80))
def test_broken_files_are_read_or_refused_but_never_crash(data, kind, at):
    whole = drawn(kind, 40, 30)
    for broken in (data, whole[:at], whole[:at] + data):
        found = image_size(broken)
        assert found is None or len(found) == 3


@pytest.mark.parametrize("kind", FORMATS)
async def test_sees_the_size(sandbox, kind):
    data = drawn(kind, 640, 480)
    reply = await sandbox.ask(messages=message(data_url(data, kind.lower())))
    name = "WebP" if kind == "WEBP" else kind
    assert f"an image of 640×480 {name}" in reply["choices"][0]["message"]["content"]  # noqa: RUF001


async def test_says_that_it_has_no_network(sandbox):
    reply = await sandbox.ask(messages=message("https://example.com/cat.png"))
    text = reply["choices"][0]["message"]["content"]
    assert "https://example.com/cat.png" in text
    assert "the sandbox has no network" in text


@pytest.mark.parametrize(
    ("size", "detail", "expected"),
    [
        ((640, 480), None, 85 + 170 * 2),
        ((512, 512), "high", 85 + 170),
        ((1024, 1024), "high", 85 + 170 * 4),
        ((2048, 4096), "auto", 85 + 170 * 6),
        ((1024, 1024), "low", 85),
    ],
)
async def test_images_cost_tokens_by_size(sandbox, size, detail, expected):
    data = drawn("PNG", *size) + b"\0" * 2000
    reply = await sandbox.ask(messages=message(data_url(data), detail=detail))
    plain = await sandbox.ask(messages=message())
    assert reply["usage"]["prompt_tokens"] - plain["usage"]["prompt_tokens"] == expected


async def test_an_image_never_costs_more_tokens_than_its_url_has_bytes(sandbox):
    url = "http://a.b/c"
    tiny = data_url(drawn("GIF", 1, 1)[:10])
    reply, plain = await sandbox.ask(messages=message(url, tiny)), await sandbox.ask(messages=message())
    assert reply["usage"]["prompt_tokens"] - plain["usage"]["prompt_tokens"] == len(url) + len(tiny)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (data_url(b"not an image"), "invalid_image_format"),
        (data_url(drawn("PNG", 3, 3)[:20]), "invalid_image_format"),
        (data_url(b"\x89PNG\r\n\x1a\n" + b"\0" * 30), "invalid_image_format"),
        ("data:image/png;base64,%%%", "invalid_base64"),
        ("data:text/plain;base64,aGk=", "invalid_image_url"),
        ("ftp://example.com/a.png", "invalid_image_url"),
        ("", "invalid_image_url"),
    ],
)
async def test_refuses_what_is_no_image(sandbox, url, code):
    error = await sandbox.refusal(messages=message(url))
    assert (error["code"], error["param"]) == (code, "messages[0].content[1].image_url.url")
