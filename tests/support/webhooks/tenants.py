"""A tenant of a running local stack as its engineers see it: an API key, the command line, an endpoint of their own."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.support.local_stack import GUARD_SECONDS, LocalStack

COMMAND = Path(sys.executable).with_name("callmissed")
WEBHOOKS = "/api/v1/webhooks"

Found = TypeVar("Found")


def until(look: Callable[[], Found | None]) -> Found:
    """What `look` returns, once that is true."""
    give_up = time.monotonic() + GUARD_SECONDS
    while not (found := look()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return found


def command(local_stack: LocalStack, *words: str, **secrets: str) -> Any:
    """What `callmissed … --json` prints about the local stack; `secrets` are variables of its environment."""
    done = subprocess.run(
        [COMMAND, *words, "--state", str(local_stack.state), "--json"],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **secrets},
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Arrival:
    """A request as it came to an endpoint. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Id of the delivery."""
        return self.headers["webhook-id"]


@dataclass
class Endpoint:
    """A server that answers every request with `status`, and keeps what came."""

    url: str = ""
    status: int = 204
    arrivals: list[Arrival] = field(default_factory=list[Arrival])

    @classmethod
    @contextmanager
    def serving(cls) -> Generator["Endpoint"]:
        """An endpoint on a free port of this machine, until the block ends."""
        endpoint = cls()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.arrivals.append(Arrival({name.lower(): text for name, text in self.headers.items()}, body))
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            endpoint.url = f"http://127.0.0.1:{server.server_port}/hooks"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield endpoint
            server.shutdown()


@dataclass(frozen=True)
class Webhook:
    """A webhook that a test has made. `secret` is the one it was made with."""

    api: httpx2.Client
    id: str
    secret: str

    def call(self, method: str, path: str = "", body: Any = None) -> httpx2.Response:
        """The answer to a call below the webhook."""
        return self.api.request(method, f"{WEBHOOKS}/{self.id}{path}", json=body)

    def delivery(self, event: str, **wanted: Any) -> dict[str, Any]:
        """The event's newest delivery, once it has what is `wanted`."""

        def look() -> dict[str, Any] | None:
            found = [one for one in self.call("GET", "/deliveries").json()["data"] if one["event_id"] == event]
            return next((one for one in found if wanted.items() <= one.items()), None)

        return until(look)


@dataclass(frozen=True)
class Tenant:
    """A tenant of the local stack, and a client with a key that has the scope `webhooks:write`."""

    local_stack: LocalStack
    id: str
    api: httpx2.Client

    @classmethod
    @contextmanager
    def created(cls, local_stack: LocalStack, name: str) -> Generator["Tenant"]:
        """A new tenant, whose client is closed at the end of the block."""
        id = command(local_stack, "tenants", "create", "--name", name, "--plan", "pro")["tenant_id"]
        key = command(local_stack, "keys", "create", "--tenant", id, "--name", name, "--scopes", "webhooks:write")[
            "secret"
        ]
        with client(local_stack, key) as api:
            yield cls(local_stack, id, api)

    def emit(self, type: str = "message.received") -> str:
        """Id of a new event."""
        return command(self.local_stack, "events", "emit", type, "--tenant", self.id)["event_id"]

    @contextmanager
    def webhook(self, url: str, *events: str) -> Generator[Webhook]:
        """A webhook for `events`, or for all, until the block ends."""
        answer = self.api.post(WEBHOOKS, json={"url": url, "events": list(events or ["*"])})
        assert answer.status_code == 201, answer.text
        webhook = Webhook(self.api, answer.json()["id"], answer.json()["secret"])
        try:
            yield webhook
        finally:
            assert webhook.call("DELETE").status_code == 204


def client(local_stack: LocalStack, key: str) -> httpx2.Client:
    """A client of the local stack with this key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.Client(
        base_url=local_stack.announcement["base_url"], headers=headers, trust_env=False, timeout=GUARD_SECONDS
    )
