"""The event source mapping of a table's stream."""

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from local.lambda_runtime.change_signal import ChangeSignal
from local.lambda_runtime.events import failed_items, stream_event
from local.lambda_runtime.functions import Invoker

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_dynamodbstreams.type_defs import GetRecordsOutputTypeDef, RecordTypeDef

BATCH = 100

_logger = logging.getLogger("callmissed.local")
_IDLE_SECONDS = 1.0
_GATHER_SECONDS = 0.05
_DISCOVERY_SECONDS = 10.0
_MAX_PAUSE_SECONDS = 60
_OLDEST: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
_TRIMMED = "TrimmedDataAccessException"
"""Raised for records older than a day, and by DynamoDB Local at times for the first record of a shard."""


@dataclass(slots=True)
class _Shard:
    """A shard and the position in it. `position` are arguments of GetShardIterator; pauses grow with `failures`."""

    id: str
    parent: str | None
    position: dict[str, Any]
    iterator: str | None = None
    failures: int = 0
    paused_until: float = 0.0
    ended: bool = False


class StreamMapping:
    """Calls `function` with the INSERT records of the stream `arn`, from the oldest that the stream still has.

    A failed batch is read again from its first failed record on, and its shard pauses meanwhile. `changes` wakes the
    reader, which otherwise polls each second.
    """

    def __init__(
        self,
        streams: "DynamoDBStreamsClient",
        arn: str,
        function: str,
        functions: Invoker,
        *,
        changes: ChangeSignal,
    ) -> None:
        self.name = f"the stream of {arn.split('/')[1]}"
        self._streams = streams
        self._arn = arn
        self._function = function
        self._functions = functions
        self._changes = changes
        self._seen = 0
        self._shards: dict[str, _Shard] = {}
        self._discover_at = 0.0

    def poll(self) -> None:
        """Read every shard once, and wait if no shard had a record. Raises botocore's ClientError and BotoCoreError."""
        if time.monotonic() >= self._discover_at:
            self._discover()
        ready = [shard for shard in self._shards.values() if self._is_next(shard)]
        if not sum(self._advance(shard) for shard in ready):
            self._seen = self._changes.wait(self._seen, _IDLE_SECONDS)
            time.sleep(_GATHER_SECONDS)

    def _discover(self) -> None:
        start: dict[str, Any] = {}
        while True:
            page = self._streams.describe_stream(StreamArn=self._arn, **start)["StreamDescription"]
            for found in page.get("Shards", []):
                id = str(found.get("ShardId"))
                self._shards.setdefault(id, _Shard(id, found.get("ParentShardId"), dict(_OLDEST)))
            if not (last := page.get("LastEvaluatedShardId")):
                break
            start = {"ExclusiveStartShardId": last}
        self._discover_at = time.monotonic() + _DISCOVERY_SECONDS

    def _is_next(self, shard: _Shard) -> bool:
        parent = self._shards.get(shard.parent or "")
        return not shard.ended and time.monotonic() >= shard.paused_until and (parent is None or parent.ended)

    def _advance(self, shard: _Shard) -> bool:
        """Read the next records of `shard`; whether there were any."""
        page = self._read(shard)
        records = page["Records"]
        failed_from = self._deliver([record for record in records if record.get("eventName") == "INSERT"])
        if failed_from:
            _pause(shard, failed_from)
            return False
        shard.failures = 0
        following = cast("str | None", page.get("NextShardIterator"))
        shard.iterator = following
        if records:
            shard.position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": _number(records[-1])}
        if following is None:
            shard.ended, self._discover_at = True, 0.0  # it has children by now
        return bool(records)

    def _read(self, shard: _Shard) -> "GetRecordsOutputTypeDef":
        try:
            return self._records(shard)
        except ClientError as error:
            shard.iterator = None  # it expires after 15 minutes, such as while a laptop sleeps
            if error.response.get("Error", {}).get("Code") != _TRIMMED:
                raise
        shard.position = dict(_OLDEST)
        return self._records(shard)

    def _records(self, shard: _Shard) -> "GetRecordsOutputTypeDef":
        if shard.iterator is None:
            answer = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard.id, **shard.position)
            shard.iterator = str(answer.get("ShardIterator"))
        return self._streams.get_records(ShardIterator=shard.iterator, Limit=BATCH)

    def _deliver(self, records: "list[RecordTypeDef]") -> str | None:
        """The sequence number of the first record that failed."""
        if not records:
            return None
        numbers = [_number(record) for record in records]
        try:
            answer = self._functions.invoke_and_wait(self._function, stream_event(self._arn, records))
        except Exception:
            _logger.exception("%s failed a batch of %s", self._function, self.name)
            return numbers[0]
        failed = failed_items(answer, numbers)
        return next((number for number in numbers if number in failed), None)


def _pause(shard: _Shard, failed_from: str) -> None:
    shard.position = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": failed_from}
    shard.iterator = None
    shard.paused_until = time.monotonic() + min(2**shard.failures, _MAX_PAUSE_SECONDS)
    shard.failures = min(shard.failures + 1, 10)


def _number(record: "RecordTypeDef") -> str:
    return str(record.get("dynamodb", {}).get("SequenceNumber"))


def stream_arn(dynamodb: "DynamoDBClient", table: str) -> str:
    """The stream of `table`. Raises botocore's ClientError for a table that does not exist."""
    return dynamodb.describe_table(TableName=table)["Table"].get("LatestStreamArn", "")
