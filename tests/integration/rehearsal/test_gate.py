"""The gate before the engines, asked by boto3 with the credentials of the deployed functions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp.test_utils
import boto3
import pytest
import pytest_asyncio
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.account import REGION
from rehearsal.access.gate import AccessGate, Principal
from rehearsal.access.roles import policies_of
from rehearsal.stage.engines import Engines
from rehearsal.templates.plan import DeploymentPlan
from tests.support.service_edges import listed

KEYS = {"callbacks": "ASIA0000000000000001", "inference": "ASIA0000000000000002", "webhooks": "ASIA0000000000000003"}


@pytest_asyncio.fixture
async def gate(engines: Engines, stage_plan: DeploymentPlan) -> AsyncIterator[tuple[AccessGate, str]]:
    """The gate and its URL."""
    roles = {function.name: function.properties["Role"] for function in stage_plan.of("AWS::Lambda::Function")}
    principals = {
        key: Principal(name, roles[f"callmissed-rehearsal-{name}"], f"token of {name}") for name, key in KEYS.items()
    }
    urls = {"dynamodb": engines.dynamodb_url, "": engines.other_url}
    names = {secret.arn: secret.name for secret in stage_plan.of("AWS::SecretsManager::Secret")}
    gate = AccessGate(urls, policies_of(stage_plan), principals, names)
    async with aiohttp.test_utils.TestServer(gate.app()) as server:
        yield gate, str(server.make_url("")).rstrip("/")


def client(service: str, url: str, function: str, *, token: str | None = None) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEYS[function],
        aws_secret_access_key="secret",
        aws_session_token=token or f"token of {function}",
        config=Config(retries={"total_max_attempts": 1}, account_id_endpoint_mode="disabled"),
    )


async def refused(call: Any, **given: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as error:
        await asyncio.to_thread(lambda: call(**given))
    return error.value.response.get("Error", {}).get("Code", "")


async def test_table_that_a_function_does_not_list_is_refused(gate: tuple[AccessGate, str]) -> None:
    callbacks = client("dynamodb", gate[1], "callbacks")
    item = {"id": {"S": "tnt_1"}}
    code = await refused(callbacks.put_item, TableName="callmissed-rehearsal-wallets", Item=item)
    assert code == "AccessDeniedException"
    assert ["dynamodb:PutItem" in line and line.endswith("-wallets") for line in gate[0].refused] == [True]


async def test_action_that_a_function_does_not_list_is_refused(gate: tuple[AccessGate, str]) -> None:
    inference = client("dynamodb", gate[1], "inference")
    assert await refused(inference.scan, TableName="callmissed-rehearsal-keys") == "AccessDeniedException"


async def test_transaction_is_refused_for_one_of_its_parts(gate: tuple[AccessGate, str]) -> None:
    callbacks = client("dynamodb", gate[1], "callbacks")
    parts = [
        {"Put": {"TableName": f"callmissed-rehearsal-{name}", "Item": {"id": {"S": "1"}}}}
        for name in ("outbox", "keys")
    ]
    assert await refused(callbacks.transact_write_items, TransactItems=parts) == "AccessDeniedException"


async def test_index_has_a_grant_of_its_own(gate: tuple[AccessGate, str]) -> None:
    inference = client("dynamodb", gate[1], "inference")
    where = {"KeyConditionExpression": "shard = :s", "ExpressionAttributeValues": {":s": {"S": "0"}}}
    code = await refused(inference.query, TableName="callmissed-rehearsal-deliveries", IndexName="due", **where)
    assert code == "AccessDeniedException"


async def test_secret_of_others_is_refused_and_ones_own_is_read(gate: tuple[AccessGate, str]) -> None:
    webhooks = client("secretsmanager", gate[1], "webhooks")
    assert await refused(webhooks.get_secret_value, SecretId="callmissed/rehearsal/peppers") == "AccessDeniedException"
    own = await asyncio.to_thread(lambda: webhooks.get_secret_value(SecretId="callmissed/rehearsal/sealing-keys"))
    assert len(own["SecretString"]) == 64


async def test_missing_object_is_denied_to_who_may_not_list(gate: tuple[AccessGate, str]) -> None:
    """AWS answers 404 to those alone who may list the bucket."""
    inference = client("s3", gate[1], "inference")
    places = [
        resource.rpartition(":")[2].rstrip("*").partition("/")
        for statement in gate[0].policies.roles[gate[0].principals[KEYS["inference"]].role]
        for resource in listed(statement["Resource"])
        if ":s3:::" in resource
    ]
    bucket, prefix = next((bucket, prefix) for bucket, _, prefix in places if prefix)
    assert await refused(inference.get_object, Bucket=bucket, Key=f"{prefix}none") == "AccessDenied"
    assert gate[0].refused == []


async def test_other_session_token_is_no_caller(gate: tuple[AccessGate, str]) -> None:
    inference = client("dynamodb", gate[1], "inference", token="of another")
    code = await refused(inference.get_item, TableName="callmissed-rehearsal-keys", Key={"id": {"S": "1"}})
    assert code == "UnrecognizedClientException"
