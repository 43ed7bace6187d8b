"""The handler as Lambda calls it: an event of API Gateway in, a proxy answer out, messages in the real queue."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from callmissed.aws import runtime
from callmissed.aws.clients import client
from callmissed.aws.database import Database
from callmissed.platform.queues import DISPATCH, physical_queue_name
from callmissed.platform.routes import ROUTES
from callmissed.platform.tables import IDEMPOTENCY, physical_name
from callmissed.settings import CoreSettings
from functions.webhooks.composition import WebhooksComposition, compose
from functions.webhooks.handlers import api
from local.api_gateway.resources import find_route, resources
from local.aws.engines import moto_server
from local.aws.tables import StageTables, dynamodb_client
from tests.support.webhooks.subscribers import NEW, PATH, RING, Endpoints, check_url

TENANT = "tnt_of_the_handler"
TEMPLATES = resources(ROUTES)
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def settings(module_tables: StageTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreSettings]:
    with moto_server(tmp_path_factory.mktemp("moto") / "moto.log") as endpoint:
        settings = CoreSettings(
            stage=module_tables.stage,
            region="us-east-1",
            dynamodb_endpoint=module_tables.endpoint,
            aws_endpoint=endpoint,
            queue_base=f"{endpoint}/123456789012",
            sealing_keys=RING[0].hex(),
        )
        client("sqs", settings).create_queue(QueueName=physical_queue_name(settings.stage, DISPATCH.name))
        yield settings


@pytest.fixture
def invoke(settings: CoreSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Invokes the handler on a thread of its own, as a function has one."""
    create_services, opened = api.create_services, list[Database]()

    def services(composition: WebhooksComposition) -> api.Services:
        opened.append(composition.database)
        return create_services(composition, check_url=check_url, attempts=Endpoints())

    def end() -> None:
        for database in opened:
            runtime.run(database.close())
        runtime._own.runner.close()

    monkeypatch.setattr(api, "compose", lambda: compose(settings))
    monkeypatch.setattr(api, "create_services", services)
    api._server.cache_clear()
    with ThreadPoolExecutor(1) as thread:
        yield lambda *request, **more: thread.submit(api.handler, event(*request, **more), None).result()
        thread.submit(end).result()
    api._server.cache_clear()


def event(
    method: str, path: str = "", body: object = None, *, tenant: str | None = TENANT, key: str = "", **query: str
) -> dict[str, Any]:
    """What API Gateway sends.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    keyed = {"Idempotency-Key": [key]} if key else {}
    context: dict[str, Any] = {"identity": {"sourceIp": "203.0.113.9"}}
    if tenant:
        context["authorizer"] = {"tenant": tenant, "key_id": "key_1", "mode": "live"}
    return {
        "resource": find_route(TEMPLATES, method, PATH + path)[0].path,
        "path": PATH + path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "api.example.com"},
        "multiValueHeaders": {"Content-Type": ["application/json"], "Host": ["api.example.com"], **keyed},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "requestContext": context,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def test_a_webhook_lives_through_the_handler(invoke: Invoke, settings: CoreSettings) -> None:
    created = invoke("POST", body=NEW)
    webhook = json.loads(created["body"])
    path = f"/{webhook['id']}"

    assert created["statusCode"] == 201
    assert created["headers"]["x-request-id"].startswith("req_")
    assert webhook["tenant_id"] == TENANT
    assert json.loads(invoke("PUT", path, {"is_active": False})["body"])["status"] == "paused"
    assert json.loads(invoke("PUT", path, {"is_active": True})["body"])["status"] == "active"
    assert enqueued(settings) == [{"do": "parked", "t": TENANT, "w": webhook["id"]}]
    assert json.loads(invoke("GET", f"{path}/deliveries", limit="5")["body"]) == {"data": [], "next_cursor": None}
    assert json.loads(invoke("POST", f"{path}/test")["body"])["success"]
    assert invoke("DELETE", path)["statusCode"] == 204
    assert invoke("GET", path)["statusCode"] == 404


def test_who_calls_is_what_the_authorizer_said(invoke: Invoke) -> None:
    own = json.loads(invoke("POST", body=NEW)["body"])

    assert invoke("GET", f"/{own['id']}", tenant="tnt_of_others")["statusCode"] == 404
    assert invoke("GET", f"/{own['id']}", tenant=None)["statusCode"] == 401
    assert invoke("GET", "/event-types", tenant=None)["statusCode"] == 200


def test_the_deployed_function_refuses_to_start_without_a_sealing_key() -> None:
    with pytest.raises(ValueError, match="sealing key"):
        api.create_services(compose(CoreSettings()), check_url=check_url, attempts=Endpoints())


def enqueued(settings: CoreSettings) -> list[dict[str, Any]]:
    url = f"{settings.queue_base}/{physical_queue_name(settings.stage, DISPATCH.name)}"
    received = client("sqs", settings).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message.get("Body", "")) for message in received.get("Messages", [])]


def test_a_keyed_creation_that_is_repeated_creates_once_and_shows_the_same_bytes(
    invoke: Invoke, settings: CoreSettings
) -> None:
    first, again = (invoke("POST", body=NEW, key="create-1") for _ in range(2))
    other = invoke("POST", body={**NEW, "description": "another"}, key="create-1")

    assert (first["statusCode"], again["statusCode"]) == (201, 201)
    assert first["body"] == again["body"]
    assert "idempotent-replayed" not in first["headers"]
    assert again["headers"]["idempotent-replayed"] == "true"
    assert json.loads(other["body"])["error"]["code"] == "idempotency_conflict"
    created = [webhook["id"] for webhook in json.loads(invoke("GET")["body"])]
    assert created.count(json.loads(first["body"])["id"]) == 1
    tables = dynamodb_client(settings.dynamodb_endpoint or "")
    stored = str(tables.scan(TableName=physical_name(settings.stage, IDEMPOTENCY))["Items"])
    assert json.loads(first["body"])["secret"] not in stored
    assert "create-1" not in stored
