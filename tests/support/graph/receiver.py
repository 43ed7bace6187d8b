"""A business's callback URL: keeps what comes, and answers as a test wants it."""

import hmac
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class CallbackReceiver:
    """`answers` are the statuses of the next callbacks, 200 after them. `verify_token` is the one it knows."""

    secret: str = "standin-app-secret"
    verify_token: str = "standin-verify-token"
    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def receive(self, body: bytes, signature: str) -> int:
        expected = "sha256=" + hmac.digest(self.secret.encode(), body, "sha256").hex()
        if not hmac.compare_digest(expected, signature):
            return 401
        status = self.answers.pop(0) if self.answers else 200
        (self.bodies if status == 200 else self.refused).append(json.loads(body))
        return status

    @property
    def values(self) -> list[dict[str, Any]]:
        """The values of all changes, in order."""
        return [change["value"] for body in self.bodies for entry in body["entry"] for change in entry["changes"]]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values for message in value.get("messages", [])]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [status for value in self.values for status in value.get("statuses", [])]


@contextmanager
def receiving() -> Generator[CallbackReceiver]:
    """A receiver on a free port until the block ends."""
    receiver = CallbackReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(receiver.receive(body, self.headers["X-Hub-Signature-256"]))

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            known = query["hub.verify_token"] == [receiver.verify_token]
            self._answer(200 if known else 403, query["hub.challenge"][0])

        def _answer(self, status: int, text: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/callback"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
