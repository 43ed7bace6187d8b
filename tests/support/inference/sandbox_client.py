"""A sandbox whose clock stands still and whose sleeps return at once, and requests to it."""

import json
from dataclasses import dataclass, field
from typing import Any

from callmissed_ai.providers.sandbox.provider import SandboxProvider
from callmissed_ai.transports.base import UpstreamCall

NOW = 1_700_000_000


@dataclass
class SandboxClient:
    """A sandbox and the seconds it slept."""

    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.provider = SandboxProvider(clock=lambda: NOW + 0.9, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def send(self, body: dict[str, Any], path: str = "/chat/completions"):
        return await self.provider.send(UpstreamCall(path, body), 30.0)

    async def raw(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        reply = await self.send(body)
        content = b"".join([chunk async for chunk in reply.chunks()])
        await reply.close()
        return reply.status, dict(reply.headers), content

    async def ask(self, prompt: str = "Hello there", **fields: Any) -> dict[str, Any]:
        """The completion for a prompt, or for `messages`."""
        status, _, content = await self.raw(chat(prompt, **fields))
        assert status == 200, content
        return json.loads(content)

    async def refusal(self, prompt: str = "Hello there", **fields: Any) -> dict[str, Any]:
        """The error object of a request that is refused with 400."""
        status, _, content = await self.raw(chat(prompt, **fields))
        assert status == 400, content
        return json.loads(content)["error"]

    async def stream(self, prompt: str = "Hello there", **fields: Any) -> list[dict[str, Any]]:
        """The chunks of a stream, without `[DONE]`."""
        status, headers, content = await self.raw(chat(prompt, stream=True, **fields))
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8"), content
        events = content.decode().split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""]
        assert all(event.startswith("data: ") for event in events[:-1])
        return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def chat(prompt: str = "Hello there", **fields: Any) -> dict[str, Any]:
    return {"model": "lab-chat", "messages": [{"role": "user", "content": prompt}], **fields}
