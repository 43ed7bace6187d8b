"""Streams of tables, read as Lambda's event source mappings read them: in order, and on only after success."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from local.lambda_runtime.events import failed_items, stream_event
from local.lambda_runtime.functions import Functions

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_dynamodbstreams.type_defs import GetRecordsOutputTypeDef, RecordTypeDef

BATCH = 100

_logger = logging.getLogger("callmissed.local")
_IDLE_SECONDS = 1.0
_GATHER_SECONDS = 0.05
_DISCOVERY_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 60
_OLDEST: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
_TRIMMED = "TrimmedDataAccessException"
"""Said of records that are gone after a day, and by DynamoDB Local now and then of a shard's very first."""


class Bell:
    """Rung when something may have been written, so that readers need not look often."""

    def __init__(self) -> None:
        self._rings = 0
        self._rung = threading.Condition()

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._rung:
            self._rings += 1
            self._rung.notify_all()

    def wait(self, heard: int, seconds: float) -> int:
        """The number of rings, once it differs from `heard` or `seconds` are over."""
        with self._rung:
            self._rung.wait_for(lambda: self._rings != heard, seconds)
            return self._rings


@dataclass(slots=True)
class _Shard:
    """A shard and how far it was read. `position` are arguments of GetShardIterator; pauses grow with `failures`."""

    id: str
    parent: str | None
    position: dict[str, Any]
    iterator: str | None = None
    failures: int = 0
    rests_until: float = 0.0
    ended: bool = False


class StreamSource:
    """Gives what is new in the stream `arn` to `function`, from the oldest that the stream still has.

    The function sees new items alone, as `infra` filters its event source. A failed batch comes again from its first
    failed record on, and its shard waits meanwhile. A `bell` wakes the reader, which else looks each second.
    """

    def __init__(
        self,
        streams: "DynamoDBStreamsClient",
        arn: str,
        function: str,
        functions: Functions,
        *,
        bell: Bell,
    ) -> None:
        self.name = f"the stream of {arn.split('/')[1]}"
        self._streams = streams
        self._arn = arn
        self._function = function
        self._functions = functions
        self._bell = bell
        self._heard = 0
        self._shards: dict[str, _Shard] = {}
        self._discover_at = 0.0

    def turn(self) -> None:
        """Read every shard once, and wait if there was nothing. Raises botocore's ClientError and BotoCoreError."""
        if time.monotonic() >= self._discover_at:
            self._discover()
        ready = [shard for shard in self._shards.values() if self._is_next(shard)]
        if not sum(self._advance(shard) for shard in ready):
            self._heard = self._bell.wait(self._heard, _IDLE_SECONDS)
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
        return not shard.ended and time.monotonic() >= shard.rests_until and (parent is None or parent.ended)

    def _advance(self, shard: _Shard) -> bool:
        """Read `shard` on; whether there was something."""
        page = self._read(shard)
        records = page["Records"]
        failed_from = self._deliver([record for record in records if record.get("eventName") == "INSERT"])
        if failed_from:
            _rest(shard, failed_from)
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
            shard.iterator = None  # it expires in 15 minutes, which a laptop may sleep
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
            answer = self._functions.wait(self._function, stream_event(self._arn, records))
        except Exception:
            _logger.exception("%s failed a batch of %s", self._function, self.name)
            return numbers[0]
        failed = failed_items(answer, numbers)
        return next((number for number in numbers if number in failed), None)


def _rest(shard: _Shard, failed_from: str) -> None:
    shard.position = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": failed_from}
    shard.iterator = None
    shard.rests_until = time.monotonic() + min(2**shard.failures, _LONGEST_PAUSE_SECONDS)
    shard.failures = min(shard.failures + 1, 10)


def _number(record: "RecordTypeDef") -> str:
    return str(record.get("dynamodb", {}).get("SequenceNumber"))


def stream_arn(dynamodb: "DynamoDBClient", table: str) -> str:
    """The stream of `table`. Raises botocore's ClientError for a table that does not exist."""
    return dynamodb.describe_table(TableName=table)["Table"].get("LatestStreamArn", "")
