"""The sandbox's images: PNGs of the size that was asked for, the same for the same request, with and without Pillow."""

import json
from io import BytesIO
from random import Random
from typing import Any

import pytest
from PIL import Image

from callmissed_ai.dialects.openai_images.base64_pieces import decoded
from callmissed_ai.providers.sandbox.media import images
from callmissed_ai.providers.sandbox.media.images import images_body, striped

ASKED: dict[str, Any] = {"prompt": "A lighthouse", "n": 2, "size": "70x64"}


def drawn(**fields: Any) -> list[bytes]:
    body, _ = images_body({**ASKED, **fields})
    return [decoded(each["b64_json"]) for each in json.loads(body)["data"]]


@pytest.mark.parametrize("engine", ["pillow", "zlib"])
def test_images_have_the_size_and_are_the_same_again(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "zlib":
        monkeypatch.setattr(images, "_pillow", lambda: None)

    pictures = drawn()

    assert images_body(ASKED)[1] == engine
    assert pictures == drawn() != drawn(prompt="A ship") != drawn(seed=1)
    assert pictures[0] != pictures[1]
    for picture in pictures:
        with Image.open(BytesIO(picture)) as opened:
            opened.load()
            assert (opened.size, opened.format) == ((70, 64), "PNG")


def test_large_striped_image_is_small() -> None:
    assert len(striped(Random(1), 4096, 4096)) < 200_000
