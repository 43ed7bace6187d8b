"""Queues and streams on the desk feed functions as Lambda's event source mappings do."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callmissed.platform.queues import CALLBACK_SOURCE, CALLBACKS, EVENT_SOURCE, FANOUT, QUEUES, Queue
from callmissed.platform.resources import EVENT_BUS
from callmissed.platform.tables import OUTBOX, physical_name
from local.clients import local_client
from local.engines import Store, create_tables, dynamodb_client, dynamodb_local
from local.functions import Functions
from local.lambda_events import failed_items
from local.services import Services, create_services
from local.sources import Feeds, QueueSource, Source
from local.streams import Bell, StreamSource, stream_arn
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
def feeding(source: Source) -> Generator[None]:
    """Let `source` take turns."""
    feeds = Feeds([source])
    CALLS.clear()
    feeds.start()
    yield
    feeds.stop()


def queue_source(services: Services, handler: str) -> QueueSource:
    create_services(Services(services.endpoint, f"{services.stage}-brief"), (BRIEF,))
    brief = Services(services.endpoint, f"{services.stage}-brief")
    return QueueSource(
        local_client("sqs", services.endpoint), brief, BRIEF, Functions([declared(BRIEF.consumer, handler)])
    )


class Mail:
    """What a test puts into the brief queue, and what lies in its dead letters."""

    def __init__(self, services: Services) -> None:
        self._sqs = local_client("sqs", services.endpoint)
        self._brief = Services(services.endpoint, f"{services.stage}-brief")

    def send(self, *bodies: str) -> None:
        entries: Any = [{"Id": str(n), "MessageBody": body, "MessageGroupId": "tnt"} for n, body in enumerate(bodies)]
        self._sqs.send_message_batch(QueueUrl=self._brief.queue_url(BRIEF.name), Entries=entries)

    def waiting(self, name: str) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._brief.queue_url(name), AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())


def bodies() -> list[str]:
    return [record["body"] for event in CALLS for record in event["Records"]]


def test_messages_reach_the_consumer_in_the_documented_event_and_are_gone(services: Services) -> None:
    source, mail = queue_source(services, "fail_named"), Mail(services)
    mail.send("one", "two")
    with feeding(source):
        wait_for(lambda: mail.waiting(BRIEF.name) == 0)
    record = CALLS[0]["Records"][0]
    assert sorted(bodies()) == ["one", "two"]
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert record["eventSourceARN"].endswith(f":callmissed-{services.stage}-brief-brief")
    assert record["attributes"]["MessageGroupId"] == "tnt"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageId"]
    assert record["receiptHandle"]


def test_what_the_consumer_reports_comes_again_and_ends_among_the_dead_letters(services: Services) -> None:
    source, mail = queue_source(services, "fail_named"), Mail(services)
    mail.send("fine", "fail")
    with feeding(source):
        wait_for(lambda: mail.waiting(BRIEF.dead_letters) == 1)
    assert sorted(bodies()) == ["fail", "fail", "fine"]
    assert mail.waiting(BRIEF.name) == 0


def test_an_exception_fails_the_whole_batch(services: Services) -> None:
    source, mail = queue_source(services, "explode"), Mail(services)
    mail.send("one", "two")
    with feeding(source):
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


def test_every_declared_queue_has_its_visibility_and_dead_letters(services: Services) -> None:
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
def test_the_bus_puts_events_into_the_queue_of_their_source(services: Services, source: str, queue: Queue) -> None:
    detail = {"id": "evt_1", "tenant": "tnt_1", "type": "budget.alert", "created": 1}
    entry: Any = {"Source": source, "DetailType": "budget.alert", "Detail": json.dumps(detail)}
    entry["EventBusName"] = EVENT_BUS.physical_name(services.stage)
    local_client("events", services.endpoint).put_events(Entries=[entry])
    sqs = local_client("sqs", services.endpoint)
    [message] = sqs.receive_message(QueueUrl=services.queue_url(queue.name))["Messages"]
    told = json.loads(message.get("Body", ""))
    assert (told["source"], told["detail-type"], told["detail"]) == (source, "budget.alert", detail)
    others = [other for other in (FANOUT, CALLBACKS) if other != queue]
    assert all("Messages" not in sqs.receive_message(QueueUrl=services.queue_url(other.name)) for other in others)


def test_the_bucket_keeps_answers(services: Services) -> None:
    s3 = local_client("s3", services.endpoint)
    s3.put_object(Bucket=services.bucket, Key="a/b", Body=b"answer")
    assert s3.get_object(Bucket=services.bucket, Key="a/b")["Body"].read() == b"answer"


def write(store: Store, *ids: str) -> None:
    client = dynamodb_client(store.endpoint)
    for id in ids:
        client.put_item(TableName=physical_name(store.stage, OUTBOX), Item={"id": {"S": id}, "raw": {"B": b"\x00\xff"}})


def outbox_source(store: Store, handler: str) -> StreamSource:
    arn = stream_arn(dynamodb_client(store.endpoint), physical_name(store.stage, OUTBOX))
    client = local_client("dynamodbstreams", store.endpoint)
    return StreamSource(client, arn, "follower", Functions([declared("follower", handler)]), bell=Bell())


def ids() -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for event in CALLS for record in event["Records"]]


def test_changes_reach_the_follower_in_the_documented_event_and_in_order(tables: Store) -> None:
    write(tables, "before")
    with feeding(outbox_source(tables, "remember")):
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


def test_a_failed_record_comes_again_with_all_that_follow(tables: Store) -> None:
    write(tables, "a", "once-b", "c")
    with feeding(outbox_source(tables, "fail_once")):
        wait_for(lambda: len(CALLS) == 2)
        write(tables, "d")
        wait_for(lambda: ids()[-1] == "d")
    assert ids() == ["a", "once-b", "c", "once-b", "c", "d"]


def test_an_exception_brings_the_whole_batch_again(tables: Store) -> None:
    write(tables, "a", "b")
    with feeding(outbox_source(tables, "explode")):
        wait_for(lambda: len(CALLS) == 2)
    assert ids() == ["a", "b", "a", "b"]


def test_only_new_items_are_told_of(tables: Store) -> None:
    write(tables, "a")
    client = dynamodb_client(tables.endpoint)
    table = physical_name(tables.stage, OUTBOX)
    client.put_item(TableName=table, Item={"id": {"S": "a"}, "changed": {"BOOL": True}})
    client.delete_item(TableName=table, Key={"id": {"S": "a"}})
    write(tables, "b")
    with feeding(outbox_source(tables, "remember")):
        wait_for(lambda: len(ids()) == 2)
    assert ids() == ["a", "b"]
    assert {record["eventName"] for event in CALLS for record in event["Records"]} == {"INSERT"}


def test_an_iterator_that_expired_is_renewed_where_it_stood(tables: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.sources._PAUSE_SECONDS", 0.0)
    source = outbox_source(tables, "remember")
    write(tables, "a")
    with feeding(source):
        wait_for(lambda: ids() == ["a"])
        [shard] = source._shards.values()
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
    functions = Functions([declared("follower", "remember")])
    with feeding(StreamSource(client, "arn/table/stream", "follower", functions, bell=Bell())):
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
    functions = Functions([declared("follower", "remember")])
    with feeding(StreamSource(client, "arn/table/stream", "follower", functions, bell=Bell())):
        wait_for(lambda: ids() == ["kept"])
    assert caplog.messages == []


def test_a_bell_wakes_who_waits() -> None:
    bell = Bell()
    assert bell.wait(0, 0.0) == 0
    bell.ring()
    assert bell.wait(0, GUARD_SECONDS) == 1


def test_a_stream_is_kept_with_the_data(tmp_path: Path) -> None:
    with dynamodb_local(tmp_path / "first.log", tmp_path / "data") as endpoint:
        create_tables(Store(endpoint, "kept"))
        write(Store(endpoint, "kept"), "a")
    with (
        dynamodb_local(tmp_path / "second.log", tmp_path / "data") as endpoint,
        feeding(outbox_source(Store(endpoint, "kept"), "remember")),
    ):
        wait_for(ids)
    assert ids() == ["a"]
