"""Requests that create files: names, forms, announcements."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from callmissed.errors import ApiError
from functions.inference.files.answers import disposition
from functions.inference.files.uploads import Upload, clean_filename, read_upload

MIB = 1024 * 1024


def request(body: bytes, content_type: str, *, chunk: int = 7) -> Request:
    """A request whose body arrives `chunk` bytes at a time."""
    parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]

    async def receive() -> Message:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    headers = [(b"content-type", content_type.encode("latin-1"))]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def form(*parts: tuple[str, bytes], boundary: str = "x") -> bytes:
    """A form of parts, each with the parameters of its disposition."""
    lines = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode() + data + b"\r\n"
        for named, data in parts
    )
    return lines + f"--{boundary}--\r\n".encode()


FILE = ('name="file"; filename="a.txt"', b"abc\r\n\x00\xff--x")
PURPOSE = ('name="purpose"', b"batch")


async def read_parts(*parts: tuple[str, bytes], boundary: str = "x", chunk: int = 7) -> Upload:
    body = form(*parts, boundary=boundary)
    return await read_upload(request(body, f"multipart/form-data; boundary={boundary}", chunk=chunk))


async def announced(**fields: Any) -> Upload:
    return await read_upload(request(json.dumps(fields).encode(), "application/json"))


@pytest.mark.parametrize("chunk", [1, 7, 64, 4096])
async def test_form_is_read_however_it_arrives(chunk: int) -> None:
    upload = await read_parts(PURPOSE, FILE, chunk=chunk)

    assert (upload.new.filename, upload.new.purpose, upload.new.size) == ("a.txt", "batch", 10)
    assert upload.body == FILE[1]


async def test_form_with_another_boundary_is_the_same_request() -> None:
    one, other = await read_parts(PURPOSE, FILE), await read_parts(PURPOSE, FILE, boundary="another-one")

    assert one.digest == other.digest
    changed = await read_parts(PURPOSE, (FILE[0], b"abd"))
    assert changed.digest != one.digest


async def test_form_says_when_the_file_goes() -> None:
    expiry = (('name="expires_after[anchor]"', b"created_at"), ('name="expires_after[seconds]"', b"3600"))

    assert (await read_parts(PURPOSE, FILE, *expiry)).new.lifetime_seconds == 3600
    assert (await read_parts(PURPOSE, FILE)).new.lifetime_seconds == 30 * 24 * 3600


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([PURPOSE], "file"),
        ([PURPOSE, FILE, FILE], "file"),
        ([PURPOSE, ('name="file"', b"abc")], "file"),
        ([PURPOSE, (FILE[0], b"")], "file"),
        ([FILE], "purpose"),
        ([FILE, ('name="purpose"', b"fine-tune")], "purpose"),
        ([FILE, ('name="purpose"', b"\xff")], "purpose"),
        ([FILE, PURPOSE, ('name="expires_after[seconds]"', b"3600")], "expires_after.anchor"),
        ([FILE, PURPOSE, ('name="other"', b"1")], "other"),
    ],
)
async def test_bad_form_is_refused_by_the_name_of_its_field(parts: list[tuple[str, bytes]], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        await read_parts(*parts)

    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(PURPOSE, FILE)[:-6], "multipart/form-data; boundary=x"),
        (form(PURPOSE, FILE), "multipart/form-data; boundary=y"),
        (form(PURPOSE, FILE), "multipart/form-data"),
        (form(PURPOSE, FILE), "multipart/form-data; boundary=" + "y" * 300),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Type: text/plain\r\n\r\nabc\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            form(('name="a"; filename="\xff"'.encode("latin-1").decode("latin-1"), b"")),
            "multipart/form-data; boundary=x",
        ),
        (form(*[PURPOSE] * 101), "multipart/form-data; boundary=x"),
        (form((f'name="file"; filename="{"a" * 10_000}"', b"abc")), "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_form_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(ApiError) as refused:
        await read_upload(request(body, content_type, chunk=4096))

    assert refused.value.status == 400


async def test_form_over_four_megabytes_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        await read_parts(PURPOSE, (FILE[0], bytes(4 * MIB)), chunk=MIB)

    assert (refused.value.status, refused.value.code) == (413, "file_too_large")


async def test_announced_file_has_no_body() -> None:
    upload = await announced(filename="call.wav", bytes=512 * MIB, purpose="audio")

    assert (upload.body, upload.new.size, upload.new.filename) == (None, 512 * MIB, "call.wav")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"bytes": 0}, "bytes"),
        ({"bytes": 512 * MIB + 1}, "bytes"),
        ({"bytes": "5"}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"purpose": "other"}, "purpose"),
        ({"filename": ""}, "filename"),
        ({"filename": "a" * 256}, "filename"),
        ({"expires_after": {"anchor": "created_at", "seconds": 3599}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "created_at", "seconds": 30 * 24 * 3600 + 1}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "last_active_at", "seconds": 3600}}, "expires_after.anchor"),
        ({"other": 1}, "other"),
    ],
)
async def test_bad_announcement_is_refused_by_the_name_of_its_field(changes: Mapping[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        await announced(**{"filename": "a", "bytes": 1, "purpose": "batch", **changes})

    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\call.wav", "call.wav"),
        ("नमस्ते.wav", "नमस्ते.wav"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        ("evil\u202efdp.exe", "evilfdp.exe"),
        ("क्\u200dष.txt", "क्\u200dष.txt"),
        ("", "file"),
        ("..", "file"),
        ("dir/", "file"),
        ('say "hi".txt', 'say "hi".txt'),
    ],
)
def test_name_is_the_last_part_without_what_nobody_sees(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


@given(st.text(max_size=255))
def test_any_name_makes_a_header(name: str) -> None:
    try:
        header = disposition(clean_filename(name))
    except ApiError:
        return

    header.encode("ascii")
    assert header.count('"') == 2
    assert header.isprintable()


def test_disposition_has_the_name_twice() -> None:
    assert disposition('é "x" 100%.txt') == (
        "attachment; filename=\"_ _x_ 100%.txt\"; filename*=UTF-8''%C3%A9%20%22x%22%20100%25.txt"
    )
