"""A table's stream calls its follower as Lambda's event source mapping does."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callmissed.platform.tables import OUTBOX, physical_name
from local.aws.clients import local_client
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables, dynamodb_client
from local.lambda_runtime.change_signal import ChangeSignal
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.stream_mapping import StreamMapping, stream_arn
from tests.support.event_source_mappings import polling, wait_for
from tests.support.local_handlers import CALLS, declared


def write(store: StageTables, *ids: str) -> None:
    client = dynamodb_client(store.endpoint)
    for id in ids:
        client.put_item(TableName=physical_name(store.stage, OUTBOX), Item={"id": {"S": id}, "raw": {"B": b"\x00\xff"}})


def outbox_mapping(store: StageTables, handler: str) -> StreamMapping:
    arn = stream_arn(dynamodb_client(store.endpoint), physical_name(store.stage, OUTBOX))
    client = local_client("dynamodbstreams", store.endpoint)
    return StreamMapping(
        client, arn, "follower", LambdaFunctions([declared("follower", handler)]), changes=ChangeSignal()
    )


def ids() -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for event in CALLS for record in event["Records"]]


def test_changes_reach_the_follower_in_the_documented_event_and_in_order(all_tables: StageTables) -> None:
    write(all_tables, "before")
    with polling(outbox_mapping(all_tables, "remember")):
        wait_for(lambda: ids() == ["before"])
        write(all_tables, "one", "two", "three")
        wait_for(lambda: len(ids()) == 4)
    record = CALLS[0]["Records"][0]
    assert ids() == ["before", "one", "two", "three"]
    assert (record["eventName"], record["eventSource"]) == ("INSERT", "aws:dynamodb")
    assert record["eventSourceARN"].split("/")[1] == physical_name(all_tables.stage, OUTBOX)
    assert record["eventID"]
    assert record["dynamodb"]["NewImage"] == {"id": {"S": "before"}, "raw": {"B": "AP8="}}
    assert record["dynamodb"]["StreamViewType"] == "NEW_IMAGE"
    assert record["dynamodb"]["SequenceNumber"].isdigit()
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int)


def test_a_failed_record_comes_again_with_all_that_follow(all_tables: StageTables) -> None:
    write(all_tables, "a", "once-b", "c")
    with polling(outbox_mapping(all_tables, "fail_once")):
        wait_for(lambda: len(CALLS) == 2)
        write(all_tables, "d")
        wait_for(lambda: ids()[-1] == "d")
    assert ids() == ["a", "once-b", "c", "once-b", "c", "d"]


def test_an_exception_brings_the_whole_batch_again(all_tables: StageTables) -> None:
    write(all_tables, "a", "b")
    with polling(outbox_mapping(all_tables, "explode")):
        wait_for(lambda: len(CALLS) == 2)
    assert ids() == ["a", "b", "a", "b"]


def test_only_new_items_reach_the_follower(all_tables: StageTables) -> None:
    write(all_tables, "a")
    client = dynamodb_client(all_tables.endpoint)
    table = physical_name(all_tables.stage, OUTBOX)
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "changed": {"BOOL": True}})
    client.delete_item(TableName=table, Key={"id": {"S": "a"}})
    write(all_tables, "b")
    with polling(outbox_mapping(all_tables, "remember")):
        wait_for(lambda: len(ids()) == 2)
    assert ids() == ["a", "b"]
    assert {record["eventName"] for event in CALLS for record in event["Records"]} == {"INSERT"}


def test_an_iterator_that_expired_is_renewed_where_it_stood(
    all_tables: StageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.lambda_runtime.event_source_mappings._PAUSE_SECONDS", 0.0)
    mapping = outbox_mapping(all_tables, "remember")
    write(all_tables, "a")
    with polling(mapping):
        wait_for(lambda: ids() == ["a"])
        [shard] = mapping._shards.values()
        wait_for(lambda: shard.iterator)
        shard.iterator = "arn:aws:dynamodb:nonsense"
        write(all_tables, "b")
        wait_for(lambda: len(ids()) == 2)
    assert ids() == ["a", "b"]


class SplitStream:
    """A stream whose shard `one` ends and is followed by `two`, as DynamoDB's do every few hours."""

    def __init__(self) -> None:
        self.split = False

    def describe_stream(self, **_request: str) -> Any:
        children = [{"ShardId": "two", "ParentShardId": "one"}] if self.split else []
        return {"StreamDescription": {"Shards": [*children, {"ShardId": "one", "ParentShardId": "trimmed"}]}}

    def get_shard_iterator(self, **request: str) -> Any:
        return {"ShardIterator": request["ShardId"]}

    def get_records(self, **request: Any) -> Any:
        iterator: str = request["ShardIterator"]
        shard, _, read = iterator.partition(" ")
        self.split = True
        record = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": shard}}, "SequenceNumber": shard}}
        if read:
            return {"Records": []} if shard == "one" else {"Records": [], "NextShardIterator": iterator}
        return {"Records": [record], "NextShardIterator": f"{shard} read"}


def test_a_shard_s_children_are_found_and_come_after_it() -> None:
    client: Any = SplitStream()
    functions = LambdaFunctions([declared("follower", "remember")])
    with polling(StreamMapping(client, "arn/table/stream", "follower", functions, changes=ChangeSignal())):
        wait_for(lambda: len(ids()) == 2)
    assert ids() == ["one", "two"]


class TrimmedStream:
    """A stream whose first iterator points before its oldest record, such as after a night's sleep."""

    def __init__(self) -> None:
        self.iterators = iter(["old", "new"])

    def describe_stream(self, **_request: str) -> Any:
        return {"StreamDescription": {"Shards": [{"ShardId": "one"}]}}

    def get_shard_iterator(self, **_request: str) -> Any:
        return {"ShardIterator": next(self.iterators)}

    def get_records(self, **request: Any) -> Any:
        if request["ShardIterator"] == "new":
            record = {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "kept"}}, "SequenceNumber": "2"}}
            return {"Records": [record]}
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetRecords")


def test_a_stream_is_read_on_from_its_oldest_record_when_others_are_gone(caplog: pytest.LogCaptureFixture) -> None:
    client: Any = TrimmedStream()
    functions = LambdaFunctions([declared("follower", "remember")])
    with polling(StreamMapping(client, "arn/table/stream", "follower", functions, changes=ChangeSignal())):
        wait_for(lambda: ids() == ["kept"])
    assert caplog.messages == []


def test_a_stream_is_kept_with_the_data(tmp_path: Path) -> None:
    with dynamodb_local(tmp_path / "first.log", tmp_path / "data") as endpoint:
        create_tables(StageTables(endpoint, "kept"))
        write(StageTables(endpoint, "kept"), "a")
    with (
        dynamodb_local(tmp_path / "second.log", tmp_path / "data") as endpoint,
        polling(outbox_mapping(StageTables(endpoint, "kept"), "remember")),
    ):
        wait_for(ids)
    assert ids() == ["a"]
