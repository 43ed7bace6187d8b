"""Replies with images: what counts as one, and that its bytes come through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_images import base64_pieces
from callmissed_ai.dialects.openai_images.base64_pieces import decoded, encoded
from callmissed_ai.dialects.openai_images.reply import DrawnImage, Refused, read_images, write_reply
from tests.support.inference.image_objects import JPEG, WEBP, base64_of, images_reply, png


@given(data=st.binary(max_size=400), blanks=st.booleans())
def test_base64_in_pieces_is_base64(data: bytes, blanks: bool) -> None:
    pieces = pytest.MonkeyPatch()
    with pieces.context() as patch:
        patch.setattr(base64_pieces, "_PIECE_BYTES", 3 * 8)
        patch.setattr(base64_pieces, "_PIECE_CHARACTERS", 4 * 8)
        text = encoded(data).decode()

        assert text == base64_of(data)
        assert decoded("\n".join(text[at : at + 10] for at in range(0, len(text), 10)) if blanks else text) == data
        assert decoded(f"data:image/png;base64,{text.rstrip('=')}") == data


@pytest.mark.parametrize("text", ["<html>", "iVBO=Rw0KGgo", "żółw", "AAA=" + "AAAA" * 2**17, "A"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decoded(text)


@pytest.mark.parametrize(("data", "media_type"), [(png(), "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_image_is_known_by_its_bytes(data: bytes, media_type: str) -> None:
    body = json.dumps(images_reply(data, revised_prompt="a lighthouse, at dusk")).encode()

    assert read_images(body, 1) == [DrawnImage(data, media_type, "a lighthouse, at dusk")]


def test_half_of_a_surrogate_pair_in_a_revised_prompt_is_replaced() -> None:
    body = json.dumps(images_reply(png(), revised_prompt="dusk \ud83d")).encode()

    assert [image.revised_prompt for image in read_images(body, 1)] == ["dusk \ufffd"]


def test_no_more_than_wanted_are_taken_and_what_is_none_is_left_out() -> None:
    reply = images_reply(b"<html>", png(1), b"GIF89a", png(2), png(3))
    reply["data"] += ["text", {"url": "https://example.com/4.png"}]

    assert [image.data for image in read_images(json.dumps(reply).encode(), 2)] == [png(1), png(2)]


@pytest.mark.parametrize("data", [[], [{}], [{"b64_json": None, "revised_prompt": "x"}], [{"b64_json": ""}]])
def test_reply_without_images_is_a_refusal(data: Any) -> None:
    with pytest.raises(Refused):
        read_images(json.dumps({"created": 1, "data": data}).encode(), 1)


@pytest.mark.parametrize(
    "body",
    [
        "<html>502</html>",
        "[]",
        "{}",
        '{"data": {}}',
        '{"data": [{"b64_json": "PGh0bWw+"}]}',
        '{"data": [{"url": "x"}]}',
    ],
)
def test_what_is_no_reply_with_images_is_unusable(body: str) -> None:
    with pytest.raises(UnusableReply):
        read_images(body.encode(), 1)


def test_reply_is_written_with_bytes_or_urls() -> None:
    images = [DrawnImage(png(), "image/png", 'so "be" it'), DrawnImage(JPEG, "image/jpeg")]

    assert json.loads(write_reply(images, 7)) == {
        "created": 7,
        "data": [
            {"b64_json": base64_of(png()), "revised_prompt": 'so "be" it'},
            {"b64_json": base64_of(JPEG), "revised_prompt": None},
        ],
    }
    urls = ["https://a.example/1", "https://a.example/2"]
    assert [each["url"] for each in json.loads(write_reply(images, 7, urls))["data"]] == urls
