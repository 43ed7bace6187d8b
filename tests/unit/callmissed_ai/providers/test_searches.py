"""Search providers on their own wire formats: what each gets, what comes of its reply, and what it can't do."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.services.search.results import found
from callmissed_ai.transports.base import UpstreamCall, UpstreamUnreachable
from callmissed_ai.transports.native import native_api
from tests.support.inference.native_searches import NativeSearch, native_searches
from tests.support.inference.recorded_transport import RecordedReply, RecordedTransport, body_of

CASES = list(native_searches())


@pytest.mark.parametrize("case", CASES, ids=[f"{case.provider}-{case.name}" for case in CASES])
async def test_search_becomes_the_documented_request_and_its_reply_our_results(case: NativeSearch) -> None:
    http = RecordedTransport(lambda _call: RecordedReply(json.dumps(case.reply).encode()))
    api, call = native_api(case.provider), UpstreamCall("/search", case.call)  # pyright: ignore[reportArgumentType]  a name of the fixtures' files

    api.check(call)
    reply = json.loads(await body_of(await api.transport(http).send(call, 30)))

    (sent,) = http.calls
    assert (sent.path, json.loads(sent.payload())) == (case.path, case.request)
    assert found(reply, case.call["num_results"]) == case.expected
    assert http.replies[0].closed


EVERYTHING = {
    "include_domains": ["a.example"],
    "exclude_domains": ["a.example"],
    "start_published_date": "2026-01-01",
    "end_published_date": "2026-01-02",
    "include_content": True,
    "gl": "in",
    "hl": "hi",
    "tbs": "qdr:d",
    "search_type": "auto",
}
LACKS = {
    "exa": {"gl", "hl", "tbs"},
    "firecrawl": {"hl", "search_type"},
    "google_search": {"include_domains", "exclude_domains", "include_content", "gl", "hl", "tbs", "search_type"},
    "serper": {*EVERYTHING} - {"gl", "hl", "tbs"},
}


@pytest.mark.parametrize("field", EVERYTHING)
@pytest.mark.parametrize("provider", LACKS)
def test_field_that_a_provider_lacks_is_refused_by_its_name(provider: Any, field: str) -> None:
    call = UpstreamCall("/search", {"query": "q", "num_results": 1, "model": "m", field: EVERYTHING[field]})

    if field not in LACKS[provider]:
        native_api(provider).check(call)
        return
    with pytest.raises(ApiError) as refused:
        native_api(provider).check(call)
    assert (refused.value.status, refused.value.param) == (400, field)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": "q" * 501}, "query"),
        ({"include_domains": ["a.example"], "exclude_domains": ["b.example"]}, "exclude_domains"),
        ({"tbs": "qdr:d", "start_published_date": "2026-01-01"}, "tbs"),
    ],
)
def test_firecrawl_refuses_what_it_documents_not_to_take(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        native_api("firecrawl").check(UpstreamCall("/search", {"query": "q", "num_results": 1, **fields}))

    assert refused.value.param == param


@pytest.mark.parametrize(
    ("days", "span"),
    [
        ({"start_published_date": "2026-05-01"}, "cdr:1,cd_min:05/01/2026,cd_max:{today}"),
        ({"end_published_date": "2026-05-01"}, "cdr:1,cd_min:01/01/1970,cd_max:05/01/2026"),
    ],
)
async def test_span_with_one_end_gets_the_other(days: dict[str, str], span: str) -> None:
    http = RecordedTransport(lambda _call: RecordedReply(b'{"success":true,"data":{}}'))
    call = UpstreamCall("/search", {"query": "q", "num_results": 1, **days})

    await native_api("firecrawl").transport(http).send(call, 30)

    assert http.calls[0].json["tbs"] == span.format(today=f"{datetime.now(UTC):%m/%d/%Y}")


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'{"organic": {}}', b"", b'{"results": 1}', b'{"success": 1}'])
@pytest.mark.parametrize("provider", LACKS)
async def test_reply_that_cannot_be_used_is_none(provider: Any, body: bytes) -> None:
    transport = native_api(provider).transport(RecordedTransport(lambda _call: RecordedReply(body)))
    reply = await transport.send(UpstreamCall("/search", {"query": "q", "num_results": 1, "model": "m"}), 30)

    with pytest.raises(UpstreamUnreachable):
        await body_of(reply)
