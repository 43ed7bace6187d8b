"""Receives webhooks with Python's standard library: CALLMISSED_WEBHOOK_SECRET=whsec_… python receive.py."""

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = os.environ.get("CALLMISSED_WEBHOOK_SECRET", "")
PORT = os.environ.get("PORT") or "9000"
MAX_BYTES = 1024 * 1024

handled: set[str] = set()  # in production a unique column of your database, written together with what you do
handling = threading.Lock()


def verified(secret: str, headers: Message, body: bytes) -> bool:
    """Whether we signed `body` with `secret` in the last five minutes."""
    id, sent, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not id or not re.fullmatch("[0-9]{1,12}", sent) or abs(time.time() - int(sent)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{sent}.".encode() + body, hashlib.sha256)
    wanted = b"v1," + base64.b64encode(digest)
    return any(hmac.compare_digest(wanted, one.encode()) for one in given.split())


def handle(event: dict[str, Any]) -> None:
    """Your part. Be quick, or put it into a queue: after 10 seconds the attempt counts as failed."""
    print(event["event"], json.dumps(event["data"], ensure_ascii=False), flush=True)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once an event is handled, now or before."""

    timeout = 10

    def do_POST(self) -> None:
        """Verify the bytes as they came; only then parse them."""
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length) if 0 < length <= MAX_BYTES else b""
        if not verified(SECRET, self.headers, body):
            return self.answer(400)
        with handling:
            if self.headers["webhook-id"] not in handled:
                handle(json.loads(body))
                handled.add(self.headers["webhook-id"])
        return self.answer(204)

    def answer(self, status: int) -> None:
        """Respond without a body."""
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    if not re.fullmatch("whsec_([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", SECRET):
        raise SystemExit("CALLMISSED_WEBHOOK_SECRET must be the webhook's secret, which begins with whsec_")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(PORT)), Receiver)
    except (OSError, OverflowError, ValueError) as error:
        raise SystemExit(f"port {PORT}: {error}; choose another in PORT") from None
    with suppress(KeyboardInterrupt):
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
