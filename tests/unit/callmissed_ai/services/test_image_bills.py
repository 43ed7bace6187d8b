"""The bill for images is price times the images that came, and never above the hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.dialects.openai_images.request import ImagesRequest
from callmissed_ai.services.images import ImagesMeter, ImagesWork, parse
from tests.support.inference.image_objects import JPEG, WEBP, base64_of, png

PRICE = 2_500_001
ROW = """
[providers.drawer]
base_url = "http://127.0.0.1:1"
unpriced_fields = ["seed"]

[[models]]
id = "drawn"
provider = "drawer"
upstream_id = "upstream"
category = "image"
unit = "image"
unit_price = 2.500001
"""
CATALOG = load_catalog(ROW)
entries = st.lists(st.sampled_from([png(), JPEG, WEBP, b"<html>", b""]), max_size=6)


def work_of(**fields: Any) -> ImagesWork:
    return parse(CATALOG, {"model": "drawn", "prompt": "A lighthouse", **fields}, 100)


def meter_of(work: ImagesWork) -> ImagesMeter:
    (model,) = work.models
    return work.meter(model, model.routes[0])


@given(n=st.integers(1, 4), came=entries, form=st.sampled_from(["b64_json", "url"]), data=st.data())
async def test_bill_is_price_times_images_that_came_and_within_the_hold(
    n: int, came: list[bytes], form: str, data: st.DataObject
) -> None:
    work = work_of(n=n, response_format=form)
    meter = meter_of(work)
    body = json.dumps({"data": [{"b64_json": base64_of(each)} for each in came]}).encode()
    cut = data.draw(st.integers(0, len(body)))
    meter.feed(body[:cut])
    meter.feed(body[cut:])
    meter.end()
    images = [each for each in came if each[:1] not in (b"<", b"")][:n]

    assert work.estimate == n * PRICE
    if not images:
        with pytest.raises(ApiError) as refused:
            await meter.charges()
        assert refused.value.status == (502 if b"<html>" in came else 400)
        return
    charges = await meter.charges()
    assert charges.cost == len(images) * PRICE <= work.estimate
    assert not charges.estimated
    assert [each["b64_json"] for each in json.loads(meter.final(b""))["data"]] == [base64_of(each) for each in images]


@pytest.mark.parametrize("name", sorted({*ImagesRequest.model_fields, "style"} - {"model", "prompt"}))
def test_null_is_no_value(name: str) -> None:
    assert work_of(**{name: None}).request == work_of().request


def test_stream_may_be_declined() -> None:
    work = work_of(stream=False)

    assert "stream" not in work.request_for(work.models[0], work.models[0].routes[0]).json
    with pytest.raises(ApiError) as refused:
        work_of(stream=True)
    assert (refused.value.status, refused.value.param) == (400, "stream")


async def test_reply_that_breaks_off_costs_nothing() -> None:
    meter = meter_of(work_of())
    meter.feed(json.dumps({"data": [{"b64_json": base64_of(png())}]}).encode()[:-20])
    meter.end()

    with pytest.raises(ApiError) as refused:
        await meter.charges()
    assert refused.value.status == 502


async def test_reply_that_is_too_long_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callmissed_ai.services.images.MAX_BODY_BYTES", 10)
    meter = meter_of(work_of())

    meter.feed(b"x" * 11)
    meter.end()

    assert (meter.finished, meter.runaway) == (False, True)


@pytest.mark.parametrize(("name", "value"), [("negative_prompt", "fog"), ("steps", 4)])
def test_field_that_the_provider_is_not_known_to_take_is_refused(name: str, value: object) -> None:
    work = work_of(**{name: value})
    (model,) = work.models

    with pytest.raises(ApiError) as refused:
        work.request_for(model, model.routes[0])

    assert (refused.value.status, refused.value.param) == (400, name)


@pytest.mark.parametrize("size", ["1536x1024", "1024x1025", "4096x257"])
def test_image_of_more_pixels_than_its_price_is_for_is_refused(size: str) -> None:
    work = work_of(size=size)
    (model,) = work.models

    with pytest.raises(ApiError) as refused:
        work.request_for(model, model.routes[0])

    assert (refused.value.status, refused.value.param) == (400, "size")


@pytest.mark.parametrize(("size", "unpriced"), [("1024x1024", "seed"), ("4096x256", "seed"), ("4096x4096", "size")])
def test_image_within_its_price_or_of_a_row_that_admits_every_size_is_drawn(size: str, unpriced: str) -> None:
    catalog = load_catalog(ROW.replace('"seed"', f'"{unpriced}"'))
    work = parse(catalog, {"model": "drawn", "prompt": "A lighthouse", "size": size}, 100)
    (model,) = work.models

    assert work.request_for(model, model.routes[0]).json["size"] == size


def test_provider_gets_openais_fields_and_what_its_row_admits() -> None:
    work = work_of(seed=7, user="u1", n=2, size="512x768")
    (model,) = work.models

    assert work.request_for(model, model.routes[0]).json == {
        "model": "upstream",
        "prompt": "A lighthouse",
        "n": 2,
        "size": "512x768",
        "seed": 7,
        "user": "u1",
        "response_format": "b64_json",
    }
