"""How commands call the routes of operators, and what they say of answers."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from callmissed.settings import CoreSettings
from cli import operator_api
from cli.errors import CommandError
from cli.operator_api import OperatorApi, deployed_url

KEYS = Credentials("AKIATEST", "secret")
Answer = Callable[[], web.Response]


async def called(answer: Answer, credentials: Credentials | None = KEYS) -> dict[str, Any]:
    async def handle(_request: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    async with TestServer(app) as server:
        return await OperatorApi(str(server.make_url("")), "eu-west-1", credentials).call("POST", "/tnt_1/credits", {})


def refused(status: int, **error: object) -> Answer:
    return lambda: web.json_response({"error": error}, status=status)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refused(404, message="No such tenant."), "No such tenant."),
        (refused(403, message=""), "HTTP 403. Your AWS credentials need execute-api:Invoke"),
        (refused(403, message="A tenant has 200 keys.", code="limit_reached"), "A tenant has 200 keys."),
        (
            refused(403, message="The signature is not valid.", code="permission_denied"),
            "The signature is not valid. Your AWS credentials",
        ),
        (
            refused(422, message="The request is invalid.", details=[{"loc": ["body", "name"], "msg": "Too short"}]),
            "The request is invalid. name: Too short.",
        ),
        (lambda: web.Response(status=502, text="<html>"), "The API's answer can't be read (HTTP 502)."),
        (lambda: web.json_response([], status=500), "The API's answer can't be read (HTTP 500)."),
    ],
)
async def test_refusals_are_one_sentence(answer: Answer, message: str) -> None:
    with pytest.raises(CommandError) as failed:
        await called(answer)
    assert str(failed.value).startswith(message)
    assert ("execute-api" in str(failed.value)) is (message.startswith("HTTP 403") or "signature" in message)


async def test_an_answer_is_returned() -> None:
    assert await called(lambda: web.json_response({"granted": True})) == {"granted": True}


async def test_an_api_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(CommandError, match=r"The API at http://127\.0\.0\.1:1 does not answer"):
        await OperatorApi("http://127.0.0.1:1", "eu-west-1", KEYS).call("POST", "", {})


async def test_credentials_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSession:
        def get_credentials(self) -> None:
            return None

    monkeypatch.setattr(operator_api, "get_session", NoSession)
    with pytest.raises(NoCredentialsError):
        await called(lambda: web.json_response({}), None)


def described(monkeypatch: pytest.MonkeyPatch, *outputs: dict[str, str]) -> list[str]:
    asked: list[str] = []

    class CloudFormation:
        def describe_stacks(self, **request: str) -> dict[str, Any]:
            asked.append(request["StackName"])
            return {"Stacks": [{"Outputs": outputs}]}

    monkeypatch.setattr(operator_api.boto3, "client", lambda _service, region_name: CloudFormation())
    return asked


def test_url_of_a_deployed_stage_is_an_output_of_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://a1.execute-api.ap-south-1.amazonaws.com/prod/"
    asked = described(
        monkeypatch, {"OutputKey": "Other", "OutputValue": "x"}, {"OutputKey": "BaseUrl", "OutputValue": url}
    )

    assert deployed_url(CoreSettings(stage="prod")) == url
    assert asked == ["callmissed-prod-api"]


def test_a_stack_without_the_url_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    described(monkeypatch)
    with pytest.raises(CommandError, match="has no output BaseUrl"):
        deployed_url(CoreSettings(stage="prod"))
