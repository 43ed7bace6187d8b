"""Images as a billed service: a price for each image that came, and none for one that did not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from callmissed.catalog.model import SANDBOX, Catalog, Category, Model, ProviderRoute
from callmissed.clock import SECOND, system_clock
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.routes import Permission
from callmissed_ai.charges import Charges, unit_charges
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.errors import refused_by_filter
from callmissed_ai.dialects.openai_images.reply import DrawnImage, Refused, read_images, write_reply
from callmissed_ai.dialects.openai_images.request import ImagesRequest, sides
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.errors import unusable_reply
from callmissed_ai.services.service import Service
from callmissed_ai.services.unit_work import UnitWork, model_for, parsed_request
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.paths import IMAGES

_OWN_FIELDS = ("negative_prompt", "seed", "steps")
"""Fields that OpenAI's API doesn't have."""

_BASE64_ALWAYS = frozenset({"openai", "azure"})
"""Providers that send base64 without being asked; others send URLs unless they are."""

_ASKED_EVERYWHERE = "dall-e"
"""Begins the ids of models of the former that must be asked. Their other models refuse to be."""

_PRICED_PIXELS = 1_024 * 1_024
"""An image of more pixels costs more at OpenAI, as its prices by size say, and most others with its paths."""

_TOO_LONG = "too long"


class ImagesMeter:
    """Keeps the whole reply; its images are read in a thread, when they are charged. Implements `Meter`."""

    def __init__(self, model: Model, wanted: int) -> None:
        self.begun = False
        self.finished = False
        self.broken = ""
        self._model = model
        self._wanted = wanted
        self._body = bytearray()
        self._images: Sequence[DrawnImage] | None = None
        self._written = b""

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _TOO_LONG

    @property
    def response(self) -> None:
        """None: images are stored in a way of their own."""
        return None

    def feed(self, chunk: bytes) -> bytes:
        """Keep what the upstream sent; returns b""."""
        self.begun = self.begun or bool(chunk)
        self._body += chunk
        if len(self._body) > MAX_BODY_BYTES:
            self.broken, self._body = _TOO_LONG, bytearray()
        return b""

    def end(self) -> bytes:
        """The whole reply has come; whether it can be used is seen in `images`."""
        if not self.begun:
            self.broken = "no reply"
        self.finished = not self.broken
        return b""

    async def images(self) -> Sequence[DrawnImage]:
        """The images that came. Raises ApiError 400 for none because of their content, 502 for no such reply."""
        if self._images is None:
            body, self._body = bytes(self._body), bytearray()
            try:
                self._images = await asyncio.to_thread(read_images, body, self._wanted)
            except Refused:
                raise refused_by_filter("prompt") from None
            except UnusableReply as error:
                raise unusable_reply(str(error)) from None
            await self.write()
        return self._images

    async def write(self, urls: Sequence[str] = ()) -> None:
        """Write the caller's reply: with the images themselves, or with their `urls`."""
        created = system_clock() // SECOND
        self._written = await asyncio.to_thread(write_reply, self._images or (), created, urls)

    async def charges(self) -> Charges:
        """See `Meter.charges`; raises as `images` does."""
        return unit_charges(self._model, len(await self.images()))

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return self._written or body

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """Nothing: a whole reply has no last bytes."""
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesWork(UnitWork):
    """Priced images; implements `Work`."""

    request: ImagesRequest

    permission = Permission.IMAGE
    service = "image"
    quota = "image"
    prompt_field = "prompt"

    @property
    def max_quantity(self) -> int:
        """As many images as are asked for: what comes beyond is not passed on."""
        return self.request.n

    def call_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """The request in our own format, or with OpenAI's fields alone. Raises ApiError 400 for one beyond those."""
        asked = self.request
        common = {"model": route.upstream_id, "prompt": asked.prompt, "n": asked.n, "size": asked.size}
        own = {name: value for name in _OWN_FIELDS if (value := getattr(asked, name)) is not None}
        provider = self.providers[route.provider]
        if route.provider == SANDBOX or provider.dialect == "native":
            return UpstreamCall(IMAGES, {**common, **own})
        for name in own:
            if name not in provider.unpriced_fields:
                raise invalid_request(f"'{name}' can't be used with '{model.id}'.", name)
        if prod(sides(asked.size)) > _PRICED_PIXELS and "size" not in provider.unpriced_fields:
            message = f"Invalid 'size': the price of '{model.id}' is for at most {_PRICED_PIXELS:,} pixels."
            raise invalid_request(message, "size")
        if asked.user is not None:
            own["user"] = asked.user
        if route.provider not in _BASE64_ALWAYS or route.upstream_id.startswith(_ASKED_EVERYWHERE):
            own["response_format"] = "b64_json"
        return UpstreamCall(IMAGES, {**common, **own})

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> ImagesMeter:
        """See `Work.meter`."""
        return ImagesMeter(model, self.request.n)


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int) -> ImagesWork:
    """The work in a `body`. Raises ApiError 400, 404 or 503."""
    request = parsed_request(ImagesRequest, body)
    model = model_for(catalog, request.model, Category.IMAGE, "for images")
    return ImagesWork(models=(model,), model_id=model.id, providers=catalog.providers, request=request)


SERVICE = Service(Permission.IMAGE, parse)
