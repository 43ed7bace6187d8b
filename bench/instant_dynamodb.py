"""A DynamoDB that answers everything at once with items recorded before: what is left is our own time.

Every condition holds, nothing changes and a query finds the whole table, so it is of use only to time the code around
it. Run it as its own process:
`python -m bench.instant_dynamodb --port 9001 --items FILE`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from bench.wire import response, serve
from callmissed.platform.tables import KEYS, WALLETS, Table, physical_name
from local.aws.tables import StageTables, dynamodb_client

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Items = Mapping[str, Mapping[str, Any]]
"""Items in DynamoDB's JSON by table and key."""


def record(store: StageTables, tables: Sequence[Table] = (KEYS, WALLETS)) -> Items:
    """The items of `tables` (by default those that every call writes) as they stand in `store`."""
    client = dynamodb_client(store.endpoint)
    return {physical_name(store.stage, table): _items(client, store.stage, table) for table in tables}


def _items(client: "DynamoDBClient", stage: str, table: Table) -> dict[str, Any]:
    pages = client.get_paginator("scan").paginate(TableName=physical_name(stage, table))
    names = [name for name in (table.partition_key, table.sort_key) if name]
    return {_identity({name: item[name] for name in names}): item for page in pages for item in page["Items"]}


def _identity(key: Mapping[str, Any]) -> str:
    return "\0".join(key[name]["S"] for name in sorted(key))


def answer(_path: bytes, body: bytes, items: Items) -> bytes:
    """The response to one request."""
    return response("200 OK", "application/x-amz-json-1.0", json.dumps(_reply(json.loads(body), items)).encode())


def _reply(request: dict[str, Any], items: Items) -> dict[str, Any]:
    if "RequestItems" in request:
        asked: dict[str, dict[str, Any]] = request["RequestItems"]
        return {
            "Responses": {name: [items[name][_identity(key)] for key in keys["Keys"]] for name, keys in asked.items()}
        }
    if "KeyConditionExpression" in request:
        return {"Items": list(items[request["TableName"]].values())}
    if request.get("ReturnValues") in ("ALL_NEW", "UPDATED_NEW"):
        return {"Attributes": items[request["TableName"]][_identity(request["Key"])]}
    return {}


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--items", type=Path, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, partial(answer, items=json.loads(options.items.read_text()))))


if __name__ == "__main__":
    main()
