"""Every transport sends a call's method, path, headers and body as they are."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from callmissed.aws import signing
from callmissed.catalog.model import GeneralTransport, ProviderSettings
from callmissed.clock import Micros
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamUnreachable
from callmissed_ai.transports.opening import open_transport
from tests.support.threads import background_loop

NAMES: tuple[GeneralTransport, ...] = get_args(GeneralTransport)
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
MOMENT = Micros(1_780_272_000_000_000)


@dataclass(frozen=True)
class Sent:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


RAW: list[Sent] = []
SENT: list[tuple[str, str, str, str | None, bytes]] = []


async def record(request: web.Request) -> web.Response:
    """Keep what the upstream got."""
    body = await request.read()
    RAW.append(Sent(request.method, request.raw_path, request.headers, body))
    kind = request.headers.get("Content-Type")
    SENT.append((request.method, request.raw_path, request.headers.get("X-Lab", ""), kind, body))
    return web.json_response({"id": 1}, headers={"X-Served": "yes"})


async def start() -> web.AppRunner:
    """An upstream on a free port."""
    app = web.Application(client_max_size=2**23)
    app.router.add_route("*", "/{path:.*}", record)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of an upstream that keeps what it gets."""
    with background_loop() as run:
        runner = run(start())
        yield runner.addresses[0][1]
        run(runner.cleanup())


@pytest.fixture(params=NAMES)
async def transport(port: int, request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """A transport of each kind to the upstream."""
    SENT.clear()
    base_url = f"http://127.0.0.1:{port}/lab"
    opened = open_transport(
        ProviderSettings("lab", "openai_chat", base_url, headers={"X-Lab": "row"}, transport=request.param), {}
    )
    yield opened
    await opened.close()


async def answer(transport: Transport, call: UpstreamCall) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to `call`."""
    reply = await transport.send(call, 5.0)
    body = b"".join([chunk async for chunk in reply.chunks()])
    await reply.close()
    return reply.status, json.loads(body)


async def test_transports_post_json_below_the_base_url(transport: Transport) -> None:
    call = UpstreamCall("/model/a%3Ab%2Fc/converse", {"text": "é"})

    assert await answer(transport, call) == (200, {"id": 1})

    ((method, path, lab, kind, body),) = SENT
    assert (method, path, lab, kind) == ("POST", "/lab/model/a%3Ab%2Fc/converse", "row", "application/json")
    assert json.loads(body) == {"text": "é"}


async def test_transports_post_bytes_with_their_own_headers(transport: Transport) -> None:
    call = UpstreamCall("/audio", b"\x00\xff", headers={"Content-Type": "audio/wav", "X-Lab": "call"})

    await answer(transport, call)

    assert SENT == [("POST", "/lab/audio", "call", "audio/wav", b"\x00\xff")]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_transports_send_other_methods_without_a_body(transport: Transport, method: Any) -> None:
    assert await answer(transport, UpstreamCall("/models", b"", method)) == (200, {"id": 1})

    ((sent, path, lab, _kind, body),) = SENT
    assert (sent, path, lab, body) == (method, "/lab/models", "row", b"")


async def test_long_bodies_arrive_as_they_are(transport: Transport) -> None:
    body = {"input": "words " * 600_000}

    await answer(transport, UpstreamCall("/chat", body))

    ((_, _, _, _, sent),) = SENT
    assert json.loads(sent) == body


async def test_signature_covers_what_is_sent(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    RAW.clear()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = ProviderSettings(
        "lab", "bedrock_converse", f"http://127.0.0.1:{port}/lab", "LAB_KEY", auth="sigv4", headers={"X-Lab": "row"}
    )
    transport = open_transport(settings, {"AWS_REGION": "eu-west-1"}, lambda: MOMENT)

    await answer(transport, UpstreamCall("/model/arn%3Aaws%3Abedrock%2Fx/converse", {"text": "é"}))
    await transport.close()

    (sent,) = RAW
    assert sent.headers["Authorization"] == by_botocore(sent)
    assert sent.headers["X-Amz-Security-Token"] == "token"


async def test_key_is_sent_instead_of_a_signature(port: int) -> None:
    RAW.clear()
    settings = ProviderSettings(
        "lab", "bedrock_converse", f"http://127.0.0.1:{port}/lab", "LAB_KEY", auth="sigv4", headers={"X-Lab": "row"}
    )
    transport = open_transport(settings, {"LAB_KEY": "secret"})

    await answer(transport, UpstreamCall("/model/x/converse", {}))
    await transport.close()

    assert RAW[0].headers["Authorization"] == "Bearer secret"
    assert "X-Amz-Date" not in RAW[0].headers


async def test_missing_credentials_are_no_answer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "_find_credentials", lambda: None)
    settings = ProviderSettings("lab", "bedrock_converse", f"http://127.0.0.1:{port}/lab", auth="sigv4")
    transport = open_transport(settings, {"AWS_REGION": "eu-west-1"})

    with pytest.raises(UpstreamUnreachable, match="no AWS credentials"):
        await transport.send(UpstreamCall("/model/x/converse", {}), 5.0)


def by_botocore(sent: "Sent") -> str:
    """The authorization of a request as it came, signed by botocore."""
    names = sent.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: sent.headers[name] for name in names if name not in ("host", "x-amz-date", "x-amz-security-token")}
    request = AWSRequest(sent.method, f"http://{sent.headers['Host']}{sent.path}", headers=headers, data=sent.body)
    request.context["timestamp"] = sent.headers["X-Amz-Date"]
    credentials = Credentials(*ENVIRONMENT.values())
    signer = SigV4Auth(credentials, "bedrock", "eu-west-1")
    request.headers["X-Amz-Date"] = sent.headers["X-Amz-Date"]
    request.headers["X-Amz-Security-Token"] = credentials.token or ""
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={';'.join(names)}, Signature={signer.signature(text, request)}"
    )
