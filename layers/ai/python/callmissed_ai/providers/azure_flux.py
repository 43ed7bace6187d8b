"""FLUX of Black Forest Labs in Microsoft Foundry, at the provider's own path: one image with each request.

https://learn.microsoft.com/azure/foundry/foundry-models/how-to/use-foundry-models-flux: this path serves all models,
OpenAI's images path none of FLUX.2. Sides are multiples of 16 pixels with 4 megapixels at most
(https://docs.bfl.ai/flux_2/flux2_text_to_image), and with FLUX 1.1 256 to 1,440 pixels in steps of 32
(https://docs.bfl.ai/flux_models/flux_1_1_pro).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.errors import invalid_request
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_images.reply import first_base64
from callmissed_ai.dialects.openai_images.request import sides
from callmissed_ai.providers.several_images import SeveralImagesTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

_UNKNOWN_FIELDS = ("negative_prompt", "steps")


@dataclass(frozen=True, slots=True)
class _Model:
    """Where a model is, and the sides that it draws, in pixels."""

    path: str
    sides: tuple[int, int]
    step: int
    max_pixels: int = 4_000_000


_MODELS: Mapping[str, _Model] = {
    "FLUX-1.1-pro": _Model("flux-pro-1.1", (256, 1_440), 32),
    "FLUX.2-pro": _Model("flux-2-pro", (64, 4_096), 16),
}


class _AzureFlux:
    """Implements `NativeApi` and `ImageApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        model = _MODELS.get(call.json["model"])
        if model is None:
            raise invalid_request("This model's provider can't do that.", "model")
        for name in _UNKNOWN_FIELDS:
            if name in call.json:
                raise invalid_request(f"'{name}' can't be used with this model.", name)
        width, height = sides(call.json["size"])
        least, most = model.sides
        if any(not least <= side <= most or side % model.step for side in (width, height)):
            message = f"a side has {least} to {most:,} pixels in steps of {model.step} with this model"
            raise invalid_request(f"Invalid 'size': {message}.", "size")
        if width * height > model.max_pixels:
            raise invalid_request("Invalid 'size': too large for this model.", "size")

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SeveralImagesTransport(self, http)

    def request(self, call: UpstreamCall, number: int) -> UpstreamCall:
        """See `ImageApi.request`."""
        asked = call.json
        width, height = sides(asked["size"])
        body: dict[str, Any] = {"model": asked["model"], "prompt": asked["prompt"], "width": width, "height": height}
        if "seed" in asked:
            body["seed"] = (asked["seed"] + number) % 2**31
        body |= {"output_format": "png", "num_images": 1}
        return UpstreamCall(f"/{_MODELS[asked['model']].path}?api-version=preview", body)

    def image(self, body: bytes) -> str | None:
        """See `ImageApi.image`. A reply may name a URL instead, which is not fetched."""
        image = first_base64(body)
        if image is None:
            raise UnusableReply("no image")
        return image


API = _AzureFlux()
