"""A business's requests to the stand-in, and pywa's client, whose address of Graph is fixed, sent to the stand-in."""

from typing import Any

import httpx
from pywa.client import WhatsApp

from local.fakes.graph.accounts import NUMBER_ID
from local.fakes.graph.fake import FakeGraph

TOKEN = "EAAstandin"
USER = "919800000001"
VERSION = "v23.0"


class Business:
    """Asks the stand-in with a token."""

    def __init__(self, graph: FakeGraph, token: str = TOKEN) -> None:
        self.graph = graph
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        url = path if path.startswith("http") else f"{self.graph.url}/{VERSION}/{path}"
        with httpx.Client(headers=self.headers, trust_env=False, timeout=20, verify=False) as client:
            return client.request(method, url, **more)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.ask("GET", path, params=query or None)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.ask("POST", path, json=body)

    def send(
        self, kind: str = "text", content: Any = None, *, number_id: str = NUMBER_ID, **more: Any
    ) -> httpx.Response:
        content = {"body": "Hello"} if content is None else content
        to = {} if "recipient" in more else {"to": USER}
        return self.post(
            f"{number_id}/messages", messaging_product="whatsapp", **{**to, "type": kind, kind: content, **more}
        )

    def wamid(self, *arguments: Any, **more: Any) -> str:
        """The id of a message that is taken."""
        answer = self.send(*arguments, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["messages"][0]["id"]


class ToStandIn(httpx.BaseTransport):
    """Sends requests for Meta's host to the stand-in."""

    def __init__(self, graph: FakeGraph) -> None:
        self._base = httpx.URL(graph.url)
        self._transport = httpx.HTTPTransport(trust_env=False, verify=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host=self._base.host, port=self._base.port)
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


def pywa_client(graph: FakeGraph, session: httpx.Client, token: str = TOKEN) -> WhatsApp:
    waba_id = graph.account.waba_id
    return WhatsApp(phone_id=NUMBER_ID, token=token, session=session, waba_id=waba_id)
