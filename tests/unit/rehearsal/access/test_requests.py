import json
from typing import Any

import pytest

from rehearsal.access.requests import ServiceRequest, access_requests
from rehearsal.errors import UnsupportedError

ACCOUNT = "us-east-1:123456789012"


def asked(service: str, target: str, body: Any = None, *, method: str = "POST", path: str = "/") -> list[str]:
    """`action resource` of each right that a request needs."""
    request = ServiceRequest(service, method, path, target, json.dumps(body or {}).encode())
    return [f"{each.action} {each.resource}" for each in access_requests(request)]


def test_write_of_an_item_is_on_its_table() -> None:
    assert asked("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "keys"}) == [
        f"dynamodb:PutItem arn:aws:dynamodb:{ACCOUNT}:table/keys"
    ]


def test_query_of_an_index_is_on_the_index() -> None:
    assert asked("dynamodb", "DynamoDB_20120810.Query", {"TableName": "deliveries", "IndexName": "due"}) == [
        f"dynamodb:Query arn:aws:dynamodb:{ACCOUNT}:table/deliveries/index/due"
    ]


def test_batch_reads_every_table() -> None:
    assert asked("dynamodb", "DynamoDB_20120810.BatchGetItem", {"RequestItems": {"a": {}, "b": {}}}) == [
        f"dynamodb:BatchGetItem arn:aws:dynamodb:{ACCOUNT}:table/a",
        f"dynamodb:BatchGetItem arn:aws:dynamodb:{ACCOUNT}:table/b",
    ]


def test_transaction_needs_the_right_of_each_part() -> None:
    parts = [{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}, {"Delete": {"TableName": "a"}}]
    assert asked("dynamodb", "DynamoDB_20120810.TransactWriteItems", {"TransactItems": parts}) == [
        f"dynamodb:PutItem arn:aws:dynamodb:{ACCOUNT}:table/a",
        f"dynamodb:ConditionCheckItem arn:aws:dynamodb:{ACCOUNT}:table/b",
        f"dynamodb:DeleteItem arn:aws:dynamodb:{ACCOUNT}:table/a",
    ]


def test_batch_of_messages_is_sending() -> None:
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/work"
    assert asked("sqs", "AmazonSQS.SendMessageBatch", {"QueueUrl": url}) == [
        f"sqs:SendMessage arn:aws:sqs:{ACCOUNT}:work"
    ]


@pytest.mark.parametrize(
    "name", ["callmissed/x/peppers", f"arn:aws:secretsmanager:{ACCOUNT}:secret:callmissed/x/peppers-AbCdEf"]
)
def test_secret_is_known_by_name_and_by_arn(name: str) -> None:
    assert asked("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": name}) == [
        f"secretsmanager:GetSecretValue arn:aws:secretsmanager:{ACCOUNT}:secret:callmissed/x/peppers-AbCdEf"
    ]


def test_parameter_has_one_slash() -> None:
    assert asked("ssm", "AmazonSSM.GetParameter", {"Name": "/callmissed/x/providers"}) == [
        f"ssm:GetParameter arn:aws:ssm:{ACCOUNT}:parameter/callmissed/x/providers"
    ]


def test_event_is_put_on_its_bus() -> None:
    assert asked("events", "AWSEvents.PutEvents", {"Entries": [{"EventBusName": "callmissed-x"}]}) == [
        f"events:PutEvents arn:aws:events:{ACCOUNT}:event-bus/callmissed-x"
    ]


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/answers/a%20b", "s3:GetObject arn:aws:s3:::answers/a b"),
        ("PUT", "/answers/a/b", "s3:PutObject arn:aws:s3:::answers/a/b"),
        ("GET", "/answers", "s3:ListBucket arn:aws:s3:::answers"),
    ],
)
def test_object_is_known_by_method_and_path(method: str, path: str, right: str) -> None:
    assert asked("s3", "", method=method, path=path) == [right]


def test_request_without_a_rule_is_an_error() -> None:
    with pytest.raises(UnsupportedError, match="kms"):
        asked("kms", "TrentService.Decrypt")
