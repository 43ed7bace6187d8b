"""A DynamoDB that answers every write at once with an item recorded before: what is left is our own time.

Every condition holds and nothing changes, so it is of use only to time the code around it. Run it as its own process:
`python -m bench.instant_dynamodb --port 9001 --items FILE`.
"""

import argparse
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench.wire import response, serve
from callmissed.platform.tables import KEYS, WALLETS, physical_name
from local.engines import Store, dynamodb_client

Items = Mapping[str, Mapping[str, Any]]
"""Items in DynamoDB's JSON by table and id."""


def record(store: Store) -> Items:
    """The items of the tables that are written on every call, as they stand in `store`."""
    client = dynamodb_client(store.endpoint)
    tables = [physical_name(store.stage, table) for table in (KEYS, WALLETS)]
    found: dict[str, list[dict[str, Any]]] = {name: client.scan(TableName=name)["Items"] for name in tables}
    return {name: {item["id"]["S"]: item for item in items} for name, items in found.items()}


def answer(_path: bytes, body: bytes, items: Items) -> bytes:
    """The response to one `UpdateItem` or `PutItem`."""
    request: dict[str, Any] = json.loads(body)
    reply: dict[str, Any] = {}
    if request.get("ReturnValues") in ("ALL_NEW", "UPDATED_NEW"):
        reply["Attributes"] = items[request["TableName"]][request["Key"]["id"]["S"]]
    return response("200 OK", "application/x-amz-json-1.0", json.dumps(reply).encode())


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--items", type=Path, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, partial(answer, items=json.loads(options.items.read_text()))))


if __name__ == "__main__":
    main()
