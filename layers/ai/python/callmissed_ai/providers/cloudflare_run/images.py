"""Images of Cloudflare Workers AI: one with each request.

https://developers.cloudflare.com/workers-ai/models/ has a page for each model: flux-2-klein-9b and flux-2-dev take a
form and answer with JSON, lucid-origin takes and answers with JSON, and phoenix-1.0, stable-diffusion-xl-lightning and
dreamshaper-8-lcm take JSON and answer with the bytes of a JPEG or PNG.

Some are paid by the tile of 512 by 512 pixels and by the step. So that no image costs the operator more than the
built-in price of its model, what is dearer is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from callmissed.errors import invalid_request
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_images.base64_pieces import encoded
from callmissed_ai.dialects.openai_images.reply import media_type_of
from callmissed_ai.dialects.openai_images.request import sides
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.providers.several_images import SeveralImagesTransport
from callmissed_ai.transports.base import Transport, UpstreamCall
from callmissed_ai.transports.multipart import form_call

_TILE = 512


@dataclass(frozen=True, slots=True)
class _Input:
    """What a model takes: `steps` is its name of that field, "" where it has none; sides are in pixels.

    `default_steps` are those of a request without any; `max_tile_steps` bounds tiles times steps.
    """

    is_form: bool = False
    steps: str = "num_steps"
    max_steps: int = 50
    has_negative: bool = True
    sides: tuple[int, int] = (64, 4_096)
    max_tiles: int | None = None
    default_steps: int = 25
    max_tile_steps: int | None = None


_STABLE_DIFFUSION = _Input(max_steps=20, sides=(256, 2_048))
_INPUTS: Mapping[str, _Input] = {
    "@cf/black-forest-labs/flux-2-klein-9b": _Input(is_form=True, steps="", has_negative=False),
    "@cf/black-forest-labs/flux-2-dev": _Input(is_form=True, steps="steps", has_negative=False, max_tile_steps=290),
    "@cf/leonardo/lucid-origin": _Input(has_negative=False, max_tiles=10),
    "@cf/leonardo/phoenix-1.0": _Input(max_tiles=16),
}
"""Inputs of models that differ from those of Stable Diffusion."""


class _CloudflareImages:
    """Implements `NativeApi` and `ImageApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked, takes = call.json, _input_of(call)
        steps = asked.get("steps")
        if "negative_prompt" in asked and not takes.has_negative:
            raise invalid_request("'negative_prompt' can't be used with this model.", "negative_prompt")
        if steps is not None and not takes.steps:
            raise invalid_request("'steps' can't be used with this model: its number is fixed.", "steps")
        if steps is not None and steps > takes.max_steps:
            raise invalid_request(f"Invalid 'steps': this model takes {takes.max_steps} at most.", "steps")
        _check_size(asked["size"], steps or takes.default_steps, takes)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SeveralImagesTransport(self, http)

    def request(self, call: UpstreamCall, number: int) -> UpstreamCall:
        """See `ImageApi.request`."""
        asked, takes = call.json, _input_of(call)
        width, height = sides(asked["size"])
        body: dict[str, Any] = {"prompt": asked["prompt"], "width": width, "height": height}
        if "negative_prompt" in asked:
            body["negative_prompt"] = asked["negative_prompt"]
        if "seed" in asked:
            body["seed"] = (asked["seed"] + number) % 2**31
        if "steps" in asked:
            body[takes.steps] = asked["steps"]
        path = f"/{quote(asked['model'], safe='/@')}"
        if takes.is_form:
            return form_call(path, [(name, str(value)) for name, value in body.items()])
        return UpstreamCall(path, body)

    def image(self, body: bytes) -> str | None:
        """See `ImageApi.image`."""
        if media_type_of(body):
            return encoded(body).decode()
        try:
            reply = _object(read_strictly(body))
        except ValueError:
            raise UnusableReply("neither JSON nor an image") from None
        image = (_object(reply.get("result")) or reply).get("image")
        if not isinstance(image, str) or not image:
            raise UnusableReply("no image")
        return image


def _input_of(call: UpstreamCall) -> _Input:
    return _INPUTS.get(call.json["model"], _STABLE_DIFFUSION)


def _check_size(size: str, steps: int, takes: _Input) -> None:
    least, most = takes.sides
    if any(not least <= side <= most for side in sides(size)):
        raise invalid_request(f"Invalid 'size': a side has {least} to {most:,} pixels with this model.", "size")
    width, height = sides(size)
    tiles = -(-width // _TILE) * -(-height // _TILE)
    if takes.max_tiles and tiles > takes.max_tiles:
        raise invalid_request("Invalid 'size': too large for this model.", "size")
    if takes.max_tile_steps and tiles * steps > takes.max_tile_steps:
        raise invalid_request("Invalid 'size': too large for this model with so many steps.", "size")


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


API = _CloudflareImages()
