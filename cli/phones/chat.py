"""A chat in the terminal with the stand-in for WhatsApp: lines go out, replies and ticks come in."""

import json
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from cli.errors import CommandError
from cli.output import Output

_TICKS = {"sent": "✓", "delivered": "✓✓", "read": "✓✓ read", "failed": "✗"}
_SHOWN = ("delivered", "read", "failed")
_POLL_SECONDS = 20
_TIMEOUT_SECONDS = 30
_QUIET_SECONDS = 2.0
_PAUSE_SECONDS = 1.0


class PhoneChat:
    """One customer's chat with one number. `run` ends with the input."""

    def __init__(self, graph_url: str, sender: str, number: str, output: Output) -> None:
        self._base = f"{graph_url}/_graph/phones/{quote(sender, safe='')}"
        self._number = {"number": number} if number else {}
        self._output = output
        self._opener = build_opener(ProxyHandler({}))
        self._changed = threading.Condition()
        self._ticks: dict[str, str] = {}
        self._replies: set[str] = set()
        self._answered = False
        self._moved = time.monotonic()
        self._ended = threading.Event()

    def run(self, wait: float, lines: Iterable[str] | None = None) -> bool:
        """Send each line; after the last one wait for a reply and its end. Whether one came, or none was asked for.

        Raises CommandError for what the stand-in refuses.
        """
        revision = self._show(self._read(0, 0), quiet=True)
        threading.Thread(target=self._follow, args=(revision,), daemon=True).start()
        try:
            wrote = self._write_all(sys.stdin if lines is None else lines)
            return self._wait(wait) if wrote and wait else True
        finally:
            self._ended.set()

    def _write_all(self, lines: Iterable[str]) -> bool:
        """Whether there was a line with text."""
        wrote = False
        for line in lines:
            if text := line.rstrip("\n"):
                self._write(text)
                wrote = True
        return wrote

    def _write(self, text: str) -> None:
        with self._changed:
            self._answered, self._moved = False, time.monotonic()
        body = {"choose": text[1:]} if text.startswith("/") else {"text": text}
        self._ask("messages", body=body)

    def _wait(self, seconds: float) -> bool:
        """Whether a reply came, once nothing has moved for a while."""
        end = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < end:
                quiet_at = self._moved + _QUIET_SECONDS
                if self._answered and now >= quiet_at:
                    break
                self._changed.wait(min(end, quiet_at if self._answered else end) - now)
            return self._answered

    def _follow(self, revision: int) -> None:
        """Show what changes after `revision`, until `run` ends."""
        while not self._ended.is_set():
            try:
                news = self._read(revision, _POLL_SECONDS)
            except (CommandError, HTTPException, OSError, ValueError):
                self._ended.wait(_PAUSE_SECONDS)  # the stack ends, or starts again
                continue
            if not self._ended.is_set():
                revision = self._show(news)

    def _read(self, after: int, wait: int) -> dict[str, Any]:
        return self._ask("messages", after=after, wait=wait)

    def _show(self, news: Mapping[str, Any], *, quiet: bool = False) -> int:
        """Print the changes, unless they are of an earlier run; returns the revision up to which they go."""
        with self._changed:
            for message in news["messages"]:
                for line in self._reply(message) if message["outgoing"] else self._tick(message):
                    self._moved = time.monotonic()
                    if not quiet:
                        self._output.text(line)
            self._changed.notify_all()
        return news["revision"]

    def _reply(self, message: Mapping[str, Any]) -> Iterable[str]:
        if message["wamid"] in self._replies or message["status"] not in _SHOWN:
            return
        self._replies.add(message["wamid"])
        self._answered = True
        failed = f" (failed: {message['error']['code']})" if message["error"] else ""
        yield f"bot{failed}: {message['text']}"
        yield from (f"     /{choice['title']}" for choice in message["choices"])

    def _tick(self, message: Mapping[str, Any]) -> Iterable[str]:
        if self._ticks.get(message["wamid"]) != message["status"]:
            self._ticks[message["wamid"]] = message["status"]
            yield f"you: {message['text']}  {_TICKS.get(message['status'], '')}"

    def _ask(self, path: str, *, body: Mapping[str, Any] | None = None, **query: int) -> dict[str, Any]:
        """The answer's JSON. Raises CommandError, HTTPException, OSError, ValueError."""
        url = f"{self._base}/{path}?{urlencode({**self._number, **query})}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310  the stand-in's own URL
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise CommandError(json.load(error)["error"]["message"]) from None
