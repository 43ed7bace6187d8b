"""Queues and streams call functions as Lambda's event source mappings do."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callmissed.platform.names import event_bus
from callmissed.platform.queues import CALLBACK_SOURCE, CALLBACKS, EVENT_SOURCE, FANOUT, QUEUES, Queue
from callmissed.platform.tables import OUTBOX, physical_name
from local.aws.clients import local_client
from local.aws.engines import dynamodb_local
from local.aws.services import StageServices, create_services
from local.aws.tables import StageTables, create_tables, dynamodb_client
from local.lambda_runtime.change_signal import ChangeSignal
from local.lambda_runtime.event_source_mappings import EventSourceMapping, EventSourceMappings
from local.lambda_runtime.events import failed_items
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.sqs_mapping import SqsMapping
from local.lambda_runtime.stream_mapping import StreamMapping, stream_arn
from tests.support.local_handlers import CALLS, declared

GUARD_SECONDS = 60
BRIEF = Queue("brief", consumer="consumer", visibility_seconds=1, tries=2)


def wait_for(condition: Callable[[], Any]) -> None:
    """Return when `condition` holds."""
    give_up = time.monotonic() + GUARD_SECONDS
    while not condition():
        assert time.monotonic() < give_up, CALLS
        time.sleep(0.02)


@contextmanager
def polling(mapping: EventSourceMapping) -> Generator[None]:
    """Let `mapping` poll during the block."""
    mappings = EventSourceMappings([mapping])
    CALLS.clear()
    mappings.start()
    yield
    mappings.stop()


def sqs_mapping(services: StageServices, handler: str) -> SqsMapping:
    create_services(StageServices(services.endpoint, f"{services.stage}-brief"), (BRIEF,))
    brief = StageServices(services.endpoint, f"{services.stage}-brief")
    return SqsMapping(
        local_client("sqs", services.endpoint), brief, BRIEF, LambdaFunctions([declared(BRIEF.consumer, handler)])
    )


class Mail:
    """What a test puts into the brief queue, and what lies in its dead letters."""

    def __init__(self, services: StageServices) -> None:
        self._sqs = local_client("sqs", services.endpoint)
        self._brief = StageServices(services.endpoint, f"{services.stage}-brief")

    def send(self, *bodies: str) -> None:
        entries: Any = [{"Id": str(n), "MessageBody": body, "MessageGroupId": "tnt"} for n, body in enumerate(bodies)]
        self._sqs.send_message_batch(QueueUrl=self._brief.queue_url(BRIEF.name), Entries=entries)

    def waiting(self, name: str) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._brief.queue_url(name), AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())


def bodies() -> list[str]:
    return [record["body"] for event in CALLS for record in event["Records"]]


def test_messages_reach_the_consumer_in_the_documented_event_and_are_gone(services: StageServices) -> None:
    mapping, mail = sqs_mapping(services, "fail_named"), Mail(services)
    mail.send("one", "two")
    with polling(mapping):
        wait_for(lambda: mail.waiting(BRIEF.name) == 0)
    record = CALLS[0]["Records"][0]
    assert sorted(bodies()) == ["one", "two"]
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert record["eventSourceARN"].endswith(f":callmissed-{services.stage}-brief-brief")
    assert record["attributes"]["MessageGroupId"] == "tnt"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageId"]
    assert record["receiptHandle"]


def test_what_the_consumer_reports_comes_again_and_ends_among_the_dead_letters(services: StageServices) -> None:
    mapping, mail = sqs_mapping(services, "fail_named"), Mail(services)
    mail.send("fine", "fail")
    with polling(mapping):
        wait_for(lambda: mail.waiting(BRIEF.dead_letters) == 1)
    assert sorted(bodies()) == ["fail", "fail", "fine"]
    assert mail.waiting(BRIEF.name) == 0


def test_an_exception_fails_the_whole_batch(services: StageServices) -> None:
    mapping, mail = sqs_mapping(services, "explode"), Mail(services)
    mail.send("one", "two")
    with polling(mapping):
        wait_for(lambda: mail.waiting(BRIEF.dead_letters) == 2)
    assert sorted(bodies()) == ["one", "one", "two", "two"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set[str]()),
        ({}, set[str]()),
        ({"batchItemFailures": None}, set[str]()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "else"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"id": "b"}]}, {"a", "b"}),
        ({"batchItemFailures": 1}, {"a", "b"}),
        ("nonsense", {"a", "b"}),
    ],
)
def test_an_answer_that_means_nothing_fails_the_batch(answer: Any, failed: set[str]) -> None:
    assert failed_items(answer, ["a", "b"]) == failed


def test_every_declared_queue_has_its_visibility_and_dead_letters(services: StageServices) -> None:
    sqs = local_client("sqs", services.endpoint)
    for queue in QUEUES:
        found = sqs.get_queue_attributes(QueueUrl=services.queue_url(queue.name), AttributeNames=["All"])["Attributes"]
        assert found["VisibilityTimeout"] == str(queue.visibility_seconds)
        assert json.loads(found["RedrivePolicy"]) == {
            "deadLetterTargetArn": services.queue_arn(queue.dead_letters),
            "maxReceiveCount": queue.tries,
        }
        sqs.get_queue_attributes(QueueUrl=services.queue_url(queue.dead_letters))


@pytest.mark.parametrize(("source", "queue"), [(EVENT_SOURCE, FANOUT), (CALLBACK_SOURCE, CALLBACKS)])
def test_the_bus_puts_events_into_the_queue_of_their_source(services: StageServices, source: str, queue: Queue) -> None:
    detail = {"id": "evt_1", "tenant": "tnt_1", "type": "budget.alert", "created": 1}
    entry: Any = {"Source": source, "DetailType": "budget.alert", "Detail": json.dumps(detail)}
    entry["EventBusName"] = event_bus(services.stage)
    local_client("events", services.endpoint).put_events(Entries=[entry])
    sqs = local_client("sqs", services.endpoint)
    [message] = sqs.receive_message(QueueUrl=services.queue_url(queue.name))["Messages"]
    event = json.loads(message.get("Body", ""))
    assert (event["source"], event["detail-type"], event["detail"]) == (source, "budget.alert", detail)
    others = [other for other in (FANOUT, CALLBACKS) if other != queue]
    assert all("Messages" not in sqs.receive_message(QueueUrl=services.queue_url(other.name)) for other in others)


def test_the_bucket_keeps_answers(services: StageServices) -> None:
    s3 = local_client("s3", services.endpoint)
    s3.put_object(Bucket=services.bucket, Key="a/b", Body=b"answer")
    assert s3.get_object(Bucket=services.bucket, Key="a/b")["Body"].read() == b"answer"


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


def test_changes_reach_the_follower_in_the_documented_event_and_in_order(tables: StageTables) -> None:
    write(tables, "before")
    with polling(outbox_mapping(tables, "remember")):
        wait_for(lambda: ids() == ["before"])
        write(tables, "one", "two", "three")
        wait_for(lambda: len(ids()) == 4)
    record = CALLS[0]["Records"][0]
    assert ids() == ["before", "one", "two", "three"]
    assert (record["eventName"], record["eventSource"]) == ("INSERT", "aws:dynamodb")
    assert record["eventSourceARN"].split("/")[1] == physical_name(tables.stage, OUTBOX)
    assert record["eventID"]
    assert record["dynamodb"]["NewImage"] == {"id": {"S": "before"}, "raw": {"B": "AP8="}}
    assert record["dynamodb"]["StreamViewType"] == "NEW_IMAGE"
    assert record["dynamodb"]["SequenceNumber"].isdigit()
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int)


def test_a_failed_record_comes_again_with_all_that_follow(tables: StageTables) -> None:
    write(tables, "a", "once-b", "c")
    with polling(outbox_mapping(tables, "fail_once")):
        wait_for(lambda: len(CALLS) == 2)
        write(tables, "d")
        wait_for(lambda: ids()[-1] == "d")
    assert ids() == ["a", "once-b", "c", "once-b", "c", "d"]


def test_an_exception_brings_the_whole_batch_again(tables: StageTables) -> None:
    write(tables, "a", "b")
    with polling(outbox_mapping(tables, "explode")):
        wait_for(lambda: len(CALLS) == 2)
    assert ids() == ["a", "b", "a", "b"]


def test_only_new_items_reach_the_follower(tables: StageTables) -> None:
    write(tables, "a")
    client = dynamodb_client(tables.endpoint)
    table = physical_name(tables.stage, OUTBOX)
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "changed": {"BOOL": True}})
    client.delete_item(TableName=table, Key={"id": {"S": "a"}})
    write(tables, "b")
    with polling(outbox_mapping(tables, "remember")):
        wait_for(lambda: len(ids()) == 2)
    assert ids() == ["a", "b"]
    assert {record["eventName"] for event in CALLS for record in event["Records"]} == {"INSERT"}


def test_an_iterator_that_expired_is_renewed_where_it_stood(
    tables: StageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.lambda_runtime.event_source_mappings._PAUSE_SECONDS", 0.0)
    mapping = outbox_mapping(tables, "remember")
    write(tables, "a")
    with polling(mapping):
        wait_for(lambda: ids() == ["a"])
        [shard] = mapping._shards.values()
        wait_for(lambda: shard.iterator)
        shard.iterator = "arn:aws:dynamodb:nonsense"
        write(tables, "b")
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


def test_a_change_signal_wakes_a_waiting_thread() -> None:
    changes = ChangeSignal()
    assert changes.wait(0, 0.0) == 0
    changes.notify()
    assert changes.wait(0, GUARD_SECONDS) == 1


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
