"""The official Node SDK, driven over a pipe."""

import json
import queue
import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from local.paths import ROOT
from tests.support.sdks.interface import SdkError

CREATE, PARSE = "chat.completions.create", "chat.completions.parse"
GUARD_SECONDS = 40
DRIVER = Path(__file__).parent / "driver.mjs"


class NodeSdk:
    """`OpenAI` of the npm package, in one Node process."""

    def __init__(self, base_url: str, process: subprocess.Popen[str]) -> None:
        self._base_url = base_url
        self._process = process
        self._numbers = count(1)
        self._events: dict[int, queue.Queue[dict[str, Any]]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, key: str, method: str, *arguments: Any, retries: int = 0, **params: Any) -> Any:
        options = [{"headers": params.pop("extra_headers")}] if "extra_headers" in params else []
        given = [*arguments, *([_flat(params)] if params else []), *options]
        number = self._ask(key, method, given, retries)
        event = self._next(number)
        request_id = event.get("request_id")
        return event["result"] | {"_request_id": request_id} if request_id else event["result"]

    def stream(self, key: str, **params: Any) -> Iterator[Any]:
        number = self._ask(key, CREATE, [_flat(params) | {"stream": True}], 0)
        try:
            while "chunk" in (event := self._next(number)):
                yield event["chunk"]
        finally:
            self._write({"abort": number})

    def parse(self, key: str, shape: type[BaseModel], **params: Any) -> Any:
        schema = {"name": shape.__name__, "strict": True, "schema": shape.model_json_schema()}
        wanted = {"response_format": {"type": "json_schema", "json_schema": schema}}
        reply = self._next(self._ask(key, PARSE, [_flat(params) | wanted], 0))["result"]
        return reply["choices"][0]["message"]["parsed"]

    def _ask(self, key: str, method: str, arguments: list[Any], retries: int) -> int:
        number = next(self._numbers)
        self._events[number] = queue.Queue()
        request = {"base_url": self._base_url, "key": key, "retries": retries, "path": method, "args": arguments}
        self._write({"id": number, **request})
        return number

    def _next(self, number: int) -> dict[str, Any]:
        event = self._events[number].get(timeout=GUARD_SECONDS)
        if "error" in event:
            raise SdkError(**event["error"])
        return event

    def _write(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._events[event["id"]].put(event)


@contextmanager
def node_sdk(base_url: str) -> Generator[NodeSdk]:
    """The SDK until the block ends."""
    with subprocess.Popen(
        ["node", str(DRIVER)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield NodeSdk(base_url, process)
        finally:
            process.kill()


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """Node takes unknown fields among the others."""
    more = params.pop("extra_body", {})
    return params | more
