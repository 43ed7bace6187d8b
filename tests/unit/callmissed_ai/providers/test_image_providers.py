"""Providers of images over recorded bytes: what they are sent, and what comes of their answers."""

import asyncio
from typing import Any, cast

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import NativeName, ProviderRoute
from callmissed.errors import ApiError
from callmissed_ai.providers import several_images
from callmissed_ai.routing.refusals import error_of
from callmissed_ai.services.images import ImagesWork, parse
from callmissed_ai.transports.base import (
    Transport,
    UpstreamCall,
    UpstreamReply,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from callmissed_ai.transports.native import native_api
from tests.support.inference.forms import form_of
from tests.support.inference.image_provider_cases import (
    IMAGES,
    ImageCase,
    ScriptedHttp,
    ScriptedReply,
    image_cases,
)

CASES = list(image_cases())
CATALOG = load_catalog(
    "".join(
        f"""
[[models]]
id = "{model_id}"
provider = "openai"
upstream_id = "{upstream_id}"
category = "image"
unit = "image"
unit_price = 5
"""
        for model_id, upstream_id in (("gpt-image", "gpt-image-1.5"), ("dall-e", "dall-e-3"))
    )
)


def transport_of(provider: str, http: ScriptedHttp) -> Transport:
    row = CATALOG.providers[provider]
    return native_api(cast(NativeName, row.transport)).transport(http) if row.dialect == "native" else http


def work_of(asked: Any) -> tuple[ImagesWork, ProviderRoute]:
    work = parse(CATALOG, asked, 100)
    (model,) = work.models
    return work, model.routes[0]


async def outcome(case: ImageCase, work: ImagesWork, route: ProviderRoute, reply: UpstreamReply) -> list[bytes] | str:
    """The images in a reply, or the code of what it is instead."""
    body = b"".join([chunk async for chunk in reply.chunks()])
    if reply.status in (400, 422):
        return work.refusal(route, error_of(body)).code
    if reply.status != 200:
        return str(reply.status)
    meter = work.meter(work.models[0], route)
    meter.feed(body)
    meter.end()
    try:
        return [image.data for image in await meter.images()]
    except ApiError as refused:
        return refused.code


@pytest.mark.parametrize("case", CASES, ids=[f"{case.provider}-{case.name}" for case in CASES])
async def test_provider_is_sent_what_it_documents_and_its_answer_is_understood(case: ImageCase) -> None:
    work, route = work_of(case.asked)
    http = ScriptedHttp(case.replies)
    assert route.provider == case.provider

    try:
        reply = await transport_of(case.provider, http).send(work.request_for(work.models[0], route), 5)
        found = await outcome(case, work, route, reply)
    except UpstreamUnreachable:
        found = "no_reply"

    assert found == (case.code or [IMAGES[name] for name in case.images])
    assert [call.path for call in http.calls] == list(case.paths)
    if case.bodies:
        assert [call.json for call in http.calls] == list(case.bodies)
    if case.form:
        assert dict(form_of(http.calls[0].payload(), http.calls[0].headers["Content-Type"])) == case.form
    if CATALOG.providers[case.provider].dialect == "native":
        assert all(sent.closed for sent in http.sent)


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("nano-banana-2", {"negative_prompt": "fog"}, "negative_prompt"),
        ("nano-banana-2", {"steps": 4}, "steps"),
        ("nano-banana-2", {"size": "64x4096"}, "size"),
        ("flux-2-pro", {"steps": 4}, "steps"),
        ("flux-2-pro", {"negative_prompt": "fog"}, "negative_prompt"),
        ("flux-2-pro", {"size": "1000x1024"}, "size"),
        ("flux-2-pro", {"size": "4096x1024"}, "size"),
        ("flux-1.1-pro", {"size": "1536x1024"}, "size"),
        ("flux-2-klein-9b", {"steps": 4}, "steps"),
        ("flux-2-klein-9b", {"negative_prompt": "fog"}, "negative_prompt"),
        ("flux-2-dev", {"size": "2048x2048"}, "size"),
        ("lucid-origin", {"size": "2048x2048"}, "size"),
        ("lucid-origin", {"negative_prompt": "fog"}, "negative_prompt"),
        ("sdxl-lightning", {"steps": 21}, "steps"),
        ("dreamshaper-8-lcm", {"size": "128x512"}, "size"),
    ],
)
def test_what_a_provider_can_not_do_is_refused_by_the_name_of_its_field(
    model: str, fields: dict[str, Any], param: str
) -> None:
    work, route = work_of({"model": model, "prompt": "A lighthouse", **fields})

    with pytest.raises(ApiError) as refused:
        work.check_route(work.models[0], route)

    assert (refused.value.status, refused.value.param) == (400, param)


async def test_all_requests_that_fail_are_one_failure() -> None:
    work, route = work_of({"model": "dreamshaper-8-lcm", "prompt": "A lighthouse", "n": 2})
    http = ScriptedHttp([{"image": "png", "cut": True}, {"body": "<html>"}])

    with pytest.raises(UpstreamUnreachable):
        await transport_of(route.provider, http).send(work.request_for(work.models[0], route), 5)


class HangingHttp(ScriptedHttp):
    """Never answers after its replies."""

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> ScriptedReply:
        if len(self.calls) == len(self.sent) < len(self._replies):
            return await super().send(call, deadline_seconds)
        self.calls.append(call)
        return await asyncio.Future[ScriptedReply]()


@pytest.mark.parametrize("patience", [0.0, 60.0])
async def test_request_that_hangs_does_not_cost_the_images_of_the_others(
    monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(several_images, "_PATIENCE_SECONDS", patience)
    work, route = work_of({"model": "dreamshaper-8-lcm", "prompt": "A lighthouse", "n": 3})
    http = HangingHttp([{"image": "png"}])

    reply = await transport_of(route.provider, http).send(work.request_for(work.models[0], route), 0.05)

    assert len(http.calls) == 3
    assert await outcome(CASES[0], work, route, reply) == [IMAGES["png"]]


async def test_requests_that_all_hang_are_late() -> None:
    work, route = work_of({"model": "dreamshaper-8-lcm", "prompt": "A lighthouse", "n": 2})

    with pytest.raises(UpstreamTimedOut):
        await transport_of(route.provider, HangingHttp([])).send(work.request_for(work.models[0], route), 0.01)


def test_every_built_in_image_model_has_cases_of_its_provider() -> None:
    routes = {model.routes[0].provider for model in CATALOG.listed() if model.category == "image"}

    assert routes == {case.provider for case in CASES} | {"sandbox"}
