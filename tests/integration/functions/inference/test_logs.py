"""Nothing that an upstream or a caller sends reaches a log, however hostile it is: no text, no key, no prompt."""

import json
from collections.abc import Mapping

import httpx2
import pytest

from tests.support.inference.behaviours import (
    DONE,
    SECRET_TEXT,
    Behaviour,
    breaks_mid_body,
    completion,
    content_events,
    event,
    fails,
    garbles_head,
    reply,
    resets,
    says,
    streams,
    writes_and_closes,
)
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, until
from tests.support.inference.wire import CHAT, chat
from tests.support.logs import written_logs

PROMPT = "prompt-that-nobody-may-read-4712"
_MARK = SECRET_TEXT.encode()
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

HOSTILE: Mapping[str, Behaviour] = {
    **{
        f"status {status}": fails(status, SECRET_TEXT, SECRET_TEXT)
        for status in (400, 401, 402, 403, 404, 422, 429, 500)
    },
    "an error in plain words": says(_MARK, "text/plain", 500),
    "a refusal in plain words": says(_MARK, "text/plain", 400),
    "a reset": resets(),
    "no HTTP": garbles_head(),
    "a broken header": writes_and_closes(_OK + b"Bad\x00" + _MARK + b": x\r\n\r\n"),
    "a header without a colon": writes_and_closes(_OK + _MARK + b"\r\n\r\n"),
    "a folded header": writes_and_closes(_OK + b"X: 1\r\n\t" + _MARK + b"\x01\r\n\r\n"),
    "a long header": writes_and_closes(_OK + b"X: " + _MARK * 1000 + b"\r\n\r\n"),
    "a status of words": writes_and_closes(b"HTTP/1.1 " + _MARK + b" OK\r\n\r\n"),
    "an odd version": writes_and_closes(b"HTTP/9." + _MARK + b" 200 OK\r\n\r\n"),
    "an odd length": writes_and_closes(_OK + b"Content-Length: " + _MARK + b"\r\n\r\n{}"),
    "two lengths": writes_and_closes(_OK + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + _MARK),
    "an odd chunk": writes_and_closes(_OK + b"Transfer-Encoding: chunked\r\n\r\n" + _MARK + b"\r\nx\r\n"),
    "a chunk that breaks off": writes_and_closes(_OK + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + _MARK),
    "an odd second chunk": writes_and_closes(
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n: ok\n\r\n" + _MARK + b"\r\n" + _MARK + b"\r\n"
    ),
    "no gzip": writes_and_closes(_OK + b"Content-Encoding: gzip\r\nContent-Length: 29\r\n\r\n" + _MARK),
    "an unknown encoding": writes_and_closes(
        _OK + b"Content-Encoding: " + _MARK + b"\r\nContent-Length: 29\r\n\r\n" + _MARK
    ),
    "an odd charset": says(_MARK, f"application/json; charset={SECRET_TEXT}"),
    "a redirect": reply({}, 307, {"Location": f"http://{SECRET_TEXT}/[::1"}),
    "a cookie": reply(completion(), 500, {"Set-Cookie": f"{SECRET_TEXT}={SECRET_TEXT}; Domain=["}),
    "odd retries": reply({}, 503, {"Retry-After": SECRET_TEXT}),
    "a body that breaks off": breaks_mid_body(),
    "HTML": says(b"<html>" + _MARK),
    "no UTF-8": says(b'{"choices": "\xff' + _MARK, "application/json"),
    "an error with status 200": reply({"error": {"message": SECRET_TEXT, "code": SECRET_TEXT, "type": SECRET_TEXT}}),
    "odd choices": reply({"choices": [SECRET_TEXT], "usage": SECRET_TEXT, "id": SECRET_TEXT}),
    "odd usage": reply(
        {**completion(), "usage": {"prompt_tokens": SECRET_TEXT, "completion_tokens": {SECRET_TEXT: 1}}}
    ),
    "an event of words": streams([*content_events()[:2], b"data: " + _MARK + b"\n\n", DONE]),
    "an event of an error": streams([*content_events()[:2], event({"error": {"message": SECRET_TEXT}}), DONE]),
    "an error at once": streams([event({"error": {"message": SECRET_TEXT, "code": SECRET_TEXT}})]),
    "a list in an event": streams([b"data: [" + json.dumps(SECRET_TEXT).encode() + b"]\n\n", DONE]),
    "an odd field": streams([_MARK + b": " + _MARK + b"\n\n", DONE]),
    "a stream that breaks off": streams([*content_events(), event({"choices": [], SECRET_TEXT: 1})], breaks=True),
}


@pytest.mark.parametrize("model", ["lab-chat", "sdk-chat"])
@pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_upstream_is_quoted_nowhere(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    behaviour: Behaviour,
    streamed: bool,
    model: str,
) -> None:
    account = await accounts.account()
    standing, upstream.otherwise = upstream.otherwise, behaviour
    try:
        with written_logs() as logs:
            messages = [{"role": "user", "content": PROMPT}]
            response = await chat(client, account, model=model, stream=streamed, messages=messages)
            await until(lambda: all(request.answered.is_set() or request.cut.is_set() for request in upstream.requests))
    finally:
        upstream.otherwise = standing

    for hidden in (SECRET_TEXT, PROMPT, account.secret):
        assert hidden not in logs.text
    if response.status_code != 200:
        assert SECRET_TEXT not in response.text + str(response.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Basic {SECRET_TEXT}"},
        {"Authorization": f"Bearer {SECRET_TEXT}"},
        {"x-api-key": SECRET_TEXT, "Origin": f"https://{SECRET_TEXT}"},
        {"Idempotency-Key": f"{SECRET_TEXT} and a space"},
        {"Content-Type": SECRET_TEXT, "Content-Encoding": SECRET_TEXT},
    ],
    ids=lambda headers: ", ".join(headers),
)
@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"model": SECRET_TEXT, "messages": [{"role": "user", "content": SECRET_TEXT}]}).encode(),
        b'{"' + SECRET_TEXT.encode() + b'": 1, "' + SECRET_TEXT.encode() + b'": 2}',
        b"\xff" + SECRET_TEXT.encode(),
        b"[" * 10_000 + SECRET_TEXT.encode(),
        json.dumps({"model": "lab-chat", "messages": SECRET_TEXT, "response_format": SECRET_TEXT}).encode(),
    ],
    ids=["unknown model", "doubled names", "no UTF-8", "deep", "odd fields"],
)
async def test_hostile_caller_is_quoted_nowhere(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, headers: dict[str, str], body: bytes
) -> None:
    account = await accounts.account()

    with written_logs() as logs:
        response = await client.post(CHAT, params={"q": SECRET_TEXT}, content=body, headers=account.headers | headers)
        await client.get(f"/v1/models/{SECRET_TEXT}", params={"key": SECRET_TEXT}, headers=headers)

    assert 400 <= response.status_code < 500
    assert SECRET_TEXT not in logs.text
    assert account.secret not in logs.text
