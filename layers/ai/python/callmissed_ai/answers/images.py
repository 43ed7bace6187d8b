"""A reply with images: the bytes of the HTTP response, while the images go into the history of the payer's key."""

from collections.abc import Sequence
from functools import partial
from typing import cast

from callmissed.aws.buckets import BucketUnavailable
from callmissed.clock import Micros
from callmissed.errors import service_unavailable
from callmissed.ledger.entries import Outcome
from callmissed.observability import get_logger
from callmissed_ai.answers.whole import read_whole
from callmissed_ai.calls.served import Served
from callmissed_ai.dialects.openai_images.reply import DrawnImage
from callmissed_ai.services.image_history.history import object_name
from callmissed_ai.services.image_history.records import ImageRecord
from callmissed_ai.services.images import ImagesMeter, ImagesWork

_logger = get_logger("inference")


async def images(served: Served) -> bytes:
    """The whole reply of a call for images, stored under its Idempotency-Key, if it has one, and settled.

    With the images themselves in the reply, they are stored beside the settlement, and what fails of that costs the
    caller nothing but the history. With URLs they are stored before: a URL is charged when there is something behind
    it. Raises as `whole` does, and ApiError 400 where the provider's filter lets none pass.
    """
    body = await read_whole(served)
    meter, history = cast(ImagesMeter, served.meter), served.container.images
    found = await meter.images()
    records = _records(served, found)
    if cast(ImagesWork, served.work).request.response_format == "url":
        try:
            await history.upload(records, found)
            await meter.write(await history.urls(records))
        except BucketUnavailable as error:
            _logger.exception("images could not be stored")
            raise service_unavailable() from error
        found = ()
    served.beside = partial(history.keep, records, found)
    await served.settle(Outcome.COMPLETED, body)
    return served.final(body)


def _records(served: Served, found: Sequence[DrawnImage]) -> Sequence[ImageRecord]:
    call, payer = served.call, served.call.admitted
    request, model = cast(ImagesWork, served.work).request, served.upstream.model
    key, now = payer.key_id or payer.tenant, served.container.clock()

    def record(place: int, image: DrawnImage) -> ImageRecord:
        image_id = f"img_{call.id}_{place}"
        return ImageRecord(
            key=key,
            created=Micros(now + place),
            image_id=image_id,
            tenant=payer.tenant,
            model=model.billed_id,
            size=request.size,
            prompt=request.prompt,
            media_type=image.media_type,
            object=object_name(payer.tenant, key, image_id, image.media_type),
            negative_prompt=request.negative_prompt,
            revised_prompt=image.revised_prompt,
            seed=request.seed,
            steps=request.steps,
        )

    return [record(place, image) for place, image in enumerate(found)]
