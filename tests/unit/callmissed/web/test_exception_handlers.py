"""What callers read about a body that is no JSON object."""

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from callmissed.web.exception_handlers import add_exception_handlers
from callmissed.web.request_context import RequestContextMiddleware

JSON = "application/json"


class Thing(BaseModel):
    name: str


async def add_thing(thing: Thing) -> str:
    return thing.name


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON, b"[]"), (JSON, b"null"), (JSON, b""), ("application/x-www-form-urlencoded", b'{"name": "server"}')],
    ids=["list", "null", "nothing", "header of a form, which curl sends"],
)
async def test_refusal_of_a_body_names_the_header_that_it_needs(content_type: str, body: bytes) -> None:
    app = FastAPI()
    add_exception_handlers(app)
    app.add_api_route("/api/v1/things", add_thing, methods=["POST"])
    transport = httpx2.ASGITransport(RequestContextMiddleware(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.example.com") as client:
        answer = await client.post("/api/v1/things", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 422
    message = "A JSON object is needed, with the header 'Content-Type: application/json'"
    assert answer.json()["error"]["details"] == [{"loc": ["body"], "msg": message}]
