"""Two stages with the same history: boto3 works on one, our client on the other, with the same results."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import ConditionFailed, DynamoDB, Exchange, RequestRefused, TransactionCanceled
from callmissed.platform.tables import LEDGER, WALLETS, Table, physical_name
from local.aws.tables import StageTables, dynamodb_client

READS = {"BatchGetItem", "GetItem", "Query", "Scan"}
STAGE = "{stage}"
"""Stands in requests and outcomes for the stage, in which alone the two differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a request: the answer in DynamoDB's JSON, or the part of the refusal that both clients report."""

    answer: dict[str, Any] | None = None
    code: str = ""
    message: str = ""
    item: Item | None = None
    reasons: tuple[str, ...] = ()


class ClientPair:
    """Sends each request through both clients and compares the outcomes."""

    def __init__(self, theirs: StageTables, ours: StageTables) -> None:
        self.boto3 = dynamodb_client(theirs.endpoint)
        self.ours = DynamoDB("us-east-1", ours.endpoint, timeout_seconds=30.0)
        self.exchanges: list[Exchange] = []
        self.counting = DynamoDB("us-east-1", ours.endpoint, timeout_seconds=30.0, observe=self.exchanges.append)
        self._stages = (theirs.stage, ours.stage)

    async def both(self, operation: str, request: dict[str, Any]) -> Outcome:
        """The outcome of `request`, which is the same with both clients and leaves both stages the same."""
        theirs, ours = self._by_boto3(operation, request), await self._by_ours(operation, request)
        assert ours == theirs
        if operation not in READS:
            assert self._items(self._stages[1]) == self._items(self._stages[0])
        return ours

    async def counted(self, operation: str, request: dict[str, Any]) -> tuple[Exchange, float]:
        """What the observer saw of `request`, and the units that DynamoDB reported to boto3 for the same."""
        self.exchanges.clear()
        answer = self._by_boto3(operation, request | {"ReturnConsumedCapacity": "TOTAL"}).answer
        await self.counting.call(operation, _of_stage(request, self._stages[1]))
        assert answer is not None
        consumed = answer["ConsumedCapacity"]
        (exchange,) = self.exchanges
        units = sum(part["CapacityUnits"] for part in (consumed if isinstance(consumed, list) else [consumed]))
        return Exchange(exchange.operation, exchange.table.replace(self._stages[1], STAGE), exchange.capacity), units

    def of_ours(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request as our client sends it."""
        return _of_stage(request, self._stages[1])

    async def close(self) -> None:
        """Let go of all connections."""
        await self.ours.close()
        await self.counting.close()
        self.boto3.close()

    def _by_boto3(self, operation: str, request: dict[str, Any]) -> Outcome:
        stage = self._stages[0]
        try:
            answer: dict[str, Any] = self.boto3._make_api_call(operation, _of_stage(request, stage))  # type: ignore[attr-defined]
        except ClientError as error:
            return _refused_by_boto3(error.response, stage)
        return _answered({name: part for name, part in answer.items() if name != "ResponseMetadata"}, stage)

    async def _by_ours(self, operation: str, request: dict[str, Any]) -> Outcome:
        stage = self._stages[1]
        try:
            return _answered(await self.ours.call(operation, _of_stage(request, stage)), stage)
        except ConditionFailed as failed:
            return Outcome(code="ConditionalCheckFailedException", item=failed.item)
        except TransactionCanceled as cancelled:
            return Outcome(code="TransactionCanceledException", reasons=tuple(cancelled.reasons))
        except RequestRefused as refused:
            code, _, message = str(refused).replace(stage, STAGE).partition(": ")
            return Outcome(code=code, message=message)

    def _items(self, stage: str) -> list[list[Item]]:
        names = [physical_name(stage, table) for table in (WALLETS, LEDGER)]
        return [[from_item(item) for page in self._pages(name) for item in page["Items"]] for name in names]

    def _pages(self, name: str) -> Any:
        return self.boto3.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)


def named(table: Table) -> str:
    """The table's name in a request to both."""
    return physical_name(STAGE, table)


def _of_stage(request: dict[str, Any], stage: str) -> dict[str, Any]:
    return json.loads(json.dumps(request).replace(STAGE, stage))


def _refused_by_boto3(response: Any, stage: str) -> Outcome:
    code: str = response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return Outcome(code=code, item=from_item(response.get("Item", {})))
    if code == "TransactionCanceledException":
        return Outcome(code=code, reasons=tuple(reason["Code"] for reason in response["CancellationReasons"]))
    return Outcome(code=code, message=response["Error"]["Message"].replace(stage, STAGE))


def _answered(answer: dict[str, Any], stage: str) -> Outcome:
    return Outcome(answer=_sets_sorted(json.loads(json.dumps(answer).replace(stage, STAGE))))


def _sets_sorted(value: Any) -> Any:
    """DynamoDB returns the members of a set in any order."""
    if isinstance(value, dict):
        return {name: sorted(part) if name == "SS" else _sets_sorted(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_sets_sorted(part) for part in value]
    return value


FULL: dict[str, Any] = {
    "av": 10**38 - 1,
    "debt": -(10**38) + 1,
    "nothing": 0,
    "name": 'நன்றி ✓ 🙂 \u2028 "\\ \t',
    "empty": "",
    "yes": True,
    "no": False,
    "none": None,
    "tags": frozenset({"a", "é", "🙂"}),
    "h": {"call": [7, 1, "llm"], "deep": {"er": [{"x": {}}, []]}},
}
"""Attributes of an item with everything in it."""


def answer(outcome: Outcome) -> dict[str, Any]:
    assert outcome.answer is not None
    return outcome.answer


async def pages(clients: ClientPair, operation: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """All pages of a Query or Scan."""
    found = [answer(await clients.both(operation, request))]
    while "LastEvaluatedKey" in found[-1]:
        found.append(
            answer(await clients.both(operation, request | {"ExclusiveStartKey": found[-1]["LastEvaluatedKey"]}))
        )
    return found


def never(wallet: dict[str, Any]) -> dict[str, Any]:
    """An update whose condition does not hold."""
    return wallet | {
        "UpdateExpression": "SET av = :zero",
        "ConditionExpression": "av < :zero",
        "ExpressionAttributeValues": to_item({":zero": 0}),
    }


def payment(id: str, amount: int = 5) -> list[dict[str, Any]]:
    """What is paid once, and the wallet that it goes to."""
    once = {"ConditionExpression": "attribute_not_exists(tenant)"}
    exists = {"ConditionExpression": "attribute_exists(id)"}
    credit = {"UpdateExpression": "SET av = :av", "ExpressionAttributeValues": to_item({":av": amount})}
    return [
        {"Put": {"TableName": named(LEDGER), "Item": to_item({"tenant": id, "entry": "paid"}), **once}},
        {"Update": {"TableName": named(WALLETS), "Key": to_item({"id": id}), **credit, **exists}},
    ]
