"""Whole replies: what is no JSON for every parser is unusable."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed_ai.charges import Charges
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.openai_chat.reply import checked_reply
from callmissed_ai.dialects.strict_json import MAX_REPLY_DEPTH

REPLY = b'{"choices": [{"message": {"content": "x"}}], "more": %s}'


async def free_of_charge(_reply: Mapping[str, Any]) -> Charges:
    return Charges(())


def metered(body: bytes) -> tuple[bytes, JsonReplyMeter]:
    meter = JsonReplyMeter(checked_reply, free_of_charge)
    meter.feed(body)
    return meter.end(), meter


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "more",
    [b"NaN", b"[Infinity]", b'{"a": -Infinity}', b"'x'", b'"\xff"', b"1,", nested(MAX_REPLY_DEPTH), nested(100_000)],
    ids=lambda more: str(more[:20]),
)
def test_reply_that_is_no_json_passes_nowhere(more: bytes) -> None:
    passed, meter = metered(REPLY % more)

    assert (passed, meter.finished, meter.broken) == (b"", False, "not JSON")


def test_reply_in_another_encoding_is_unusable() -> None:
    passed, meter = metered((REPLY % b"1").decode().encode("utf-16"))

    assert (passed, meter.broken) == (b"", "not JSON")


@pytest.mark.parametrize(
    "more", [b"null", b'"NaN"', b"1e400", nested(MAX_REPLY_DEPTH - 1), json.dumps("\ud800").encode()]
)
def test_reply_that_is_json_passes_byte_for_byte(more: bytes) -> None:
    passed, meter = metered(REPLY % more)

    assert (passed, meter.finished) == (REPLY % more, True)


@pytest.mark.parametrize("choices", [b"[]", b"{}", b"null", b"[1]", b'"x"'])
def test_reply_without_choices_is_unusable(choices: bytes) -> None:
    passed, meter = metered(b'{"choices": %s, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}' % choices)

    assert (passed, meter.broken) == (b"", "no choices")


def test_byte_order_mark_is_no_part_of_a_reply() -> None:
    passed, meter = metered(b"\xef\xbb\xbf" + REPLY % b"1")

    assert (passed, meter.finished) == (REPLY % b"1", True)
