"""Whether a failed search says that time ran out: what the last try met decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.routing.router import Router
from callmissed_ai.services.chat import parse
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

CASES: Mapping[str, tuple[list[UpstreamUnreachable], bool]] = {
    "both tries": ([UpstreamTimedOut("late"), UpstreamTimedOut("late")], True),
    "the last try": ([UpstreamUnreachable("reset"), UpstreamTimedOut("late")], True),
    "the first try": ([UpstreamTimedOut("late"), UpstreamUnreachable("reset")], False),
    "no try": ([UpstreamUnreachable("reset"), UpstreamUnreachable("reset")], False),
}
CATALOG = load_catalog(
    """
[providers.lab]
base_url = "http://127.0.0.1:9/v1"
[[models]]
id = "lab-chat"
provider = "lab"
upstream_id = "x"
input = 1
output = 1
context_window = 1000
"""
)


@dataclass
class FailingTransport:
    """Fails each request with the next error; implements `Transport`."""

    errors: Iterator[UpstreamUnreachable]

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        raise next(self.errors)

    async def close(self) -> None:
        """Nothing is open."""


async def no_wait(_seconds: float) -> None:
    return


@pytest.mark.parametrize("case", CASES)
async def test_search_says_whether_time_ran_out(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    errors, timed_out = CASES[case]
    transport = FailingTransport(iter(errors))
    monkeypatch.setattr("callmissed_ai.routing.router.open_transport", lambda *_: transport)
    router = Router(CATALOG, {}, lambda: transport, no_wait)
    body = {"model": "lab-chat", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}

    with pytest.raises(ApiError) as refused:
        await router.answer(parse("openai_chat", CATALOG, body, 100), sandboxed=False)

    assert (refused.value.status, refused.value.code, refused.value.timed_out) == (503, "provider_error", timed_out)
