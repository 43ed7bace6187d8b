"""Tables that are created when a request first names one: most tests touch three of the platform's tables.

They go with their test: a hundred tables more make each request to DynamoDB Local take a millisecond longer.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from functools import wraps
from threading import Lock
from typing import Any

from callmissed.aws.dynamodb import DynamoDB, RequestRefused
from callmissed.ids import new_id
from callmissed.platform.tables import TABLES, Table, create_table_request, physical_name
from local.aws.tables import StageTables, dynamodb_client

Send = Callable[[DynamoDB, str, bytes], Awaitable[dict[str, Any]]]

_NAMES = re.compile(rb'"(callmissed-[^"]+)"')


class TablesOnDemand:
    """Stages on one DynamoDB `endpoint` whose tables do not exist until a client of this process names them."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._client = dynamodb_client(endpoint)
        self._tables: dict[str, tuple[str, Table]] = {}
        self._created: set[str] = set()
        self._lock = Lock()

    def new_stage(self) -> StageTables:
        """A stage that nobody else uses."""
        stage = new_id("test")
        self._tables |= {physical_name(stage, table): (stage, table) for table in TABLES}
        return StageTables(self._endpoint, stage)

    def drop(self, stage: StageTables) -> None:
        """Delete what was created for `stage`."""
        names = {physical_name(stage.stage, table) for table in TABLES}
        with self._lock:
            created = names & self._created
            self._created -= created
            self._tables = {name: table for name, table in self._tables.items() if name not in names}
        for name in created:
            self._client.delete_table(TableName=name)

    def creating(self, send: Send) -> Send:
        """`DynamoDB.send`, which creates the tables that a request names when one is missing, and sends it again."""

        @wraps(send)
        async def creating_send(client: DynamoDB, operation: str, payload: bytes) -> dict[str, Any]:
            try:
                return await send(client, operation, payload)
            except RequestRefused as refusal:
                if refusal.log_code != "ResourceNotFoundException" or not self._create(payload):
                    raise
            return await send(client, operation, payload)

        return creating_send

    def _create(self, payload: bytes) -> bool:
        """Whether a table of these stages is named; all that are exist afterwards."""
        names = self._tables.keys() & {name.decode() for name in _NAMES.findall(payload)}
        with self._lock:
            for name in names - self._created:
                self._client.create_table(**create_table_request(*self._tables[name]))
                self._created.add(name)
        return bool(names)


def delete_tables(stage: StageTables) -> None:
    """Delete every table of `stage` that exists."""
    with closing(dynamodb_client(stage.endpoint)) as client:
        for table in TABLES:
            with suppress(client.exceptions.ResourceNotFoundException):
                client.delete_table(TableName=physical_name(stage.stage, table))
