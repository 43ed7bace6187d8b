"""Gemini's image models. https://ai.google.dev/gemini-api/docs/image-generation and /api/generate-content

A request brings one image, of 1K pixels, which is what the price is for: `size` chooses the aspect ratio.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from callmissed.errors import invalid_request
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_images.request import sides
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.providers.several_images import SeveralImagesTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_MAX_DEVIATION = 0.03
"""A ratio may be so far from the one that is asked for: 1344x768 is called 16:9."""

_UNKNOWN_FIELDS = ("negative_prompt", "steps")
_FILTERED = frozenset(
    {
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
"""Reasons to finish without an image because of what it shows."""


class _GeminiImages:
    """Implements `NativeApi` and `ImageApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        for name in _UNKNOWN_FIELDS:
            if name in call.json:
                raise invalid_request(f"'{name}' can't be used with Gemini's models.", name)
        if _ratio(call.json["size"]) is None:
            offered = ", ".join(_RATIOS)
            raise invalid_request(f"Invalid 'size': width to height must be one of {offered}.", "size")

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SeveralImagesTransport(self, http)

    def request(self, call: UpstreamCall, number: int) -> UpstreamCall:
        """See `ImageApi.request`."""
        asked = call.json
        config: dict[str, Any] = {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": _ratio(asked["size"]), "imageSize": "1K"},
        }
        if "seed" in asked:
            config["seed"] = (asked["seed"] + number) % 2**31
        body = {"contents": [{"role": "user", "parts": [{"text": asked["prompt"]}]}], "generationConfig": config}
        return UpstreamCall(f"/models/{quote(asked['model'], safe='')}:generateContent", body)

    def image(self, body: bytes) -> str | None:
        """See `ImageApi.image`."""
        try:
            reply = _object(read_strictly(body))
        except ValueError:
            raise UnusableReply("not JSON") from None
        candidates = [_object(each) for each in _list(reply.get("candidates"))]
        for part in _parts(candidates):
            data = _object(part.get("inlineData")).get("data")
            if isinstance(data, str) and not part.get("thought"):
                return data
        reasons = {str(each.get("finishReason")) for each in candidates}
        if _object(reply.get("promptFeedback")).get("blockReason") or reasons & _FILTERED:
            return None
        raise UnusableReply("no image")


def _ratio(size: str) -> str | None:
    """The name of the ratio of a `size`, None where none is near."""
    width, height = sides(size)
    name, deviation = min(((each, _deviation(each, width / height)) for each in _RATIOS), key=lambda found: found[1])
    return name if deviation <= _MAX_DEVIATION else None


def _deviation(name: str, ratio: float) -> float:
    width, _, height = name.partition(":")
    return abs(ratio * int(height) / int(width) - 1)


def _parts(candidates: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for candidate in candidates:
        yield from map(_object, _list(_object(candidate.get("content")).get("parts")))


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


API = _GeminiImages()
