"""A queue calls its consumer as Lambda's event source mapping does."""

from dataclasses import replace
from typing import Any

from callmissed.platform.queues import PASSING, Queue
from local.aws.clients import local_client
from local.aws.services import StageServices, create_services
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.sqs_mapping import SqsMapping
from tests.support.event_source_mappings import polling, wait_for
from tests.support.local_handlers import CALLS, declared

BRIEF = Queue("brief", consumer="consumer", visibility_seconds=1, tenant_data=PASSING, tries=2)


def sqs_mapping(services: StageServices, handler: str, queue: Queue = BRIEF) -> SqsMapping:
    create_services(StageServices(services.endpoint, f"{services.stage}-brief"), (queue,))
    brief = StageServices(services.endpoint, f"{services.stage}-brief")
    functions = LambdaFunctions([declared(queue.consumer, handler)], at_once={queue.consumer: queue.at_once})
    return SqsMapping(local_client("sqs", services.endpoint), brief, queue, functions)


class BriefQueue:
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
    mapping, brief_queue = sqs_mapping(services, "fail_named"), BriefQueue(services)
    brief_queue.send("one", "two")
    with polling(mapping):
        wait_for(lambda: brief_queue.waiting(BRIEF.name) == 0)
    record = CALLS[0]["Records"][0]
    assert sorted(bodies()) == ["one", "two"]
    assert (record["eventSource"], record["awsRegion"]) == ("aws:sqs", "us-east-1")
    assert record["eventSourceARN"].endswith(f":callmissed-{services.stage}-brief-brief")
    assert record["attributes"]["MessageGroupId"] == "tnt"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageId"]
    assert record["receiptHandle"]


def test_what_the_consumer_reports_comes_again_and_ends_among_the_dead_letters(services: StageServices) -> None:
    mapping, brief_queue = sqs_mapping(services, "fail_named"), BriefQueue(services)
    brief_queue.send("fine", "fail")
    with polling(mapping):
        wait_for(lambda: brief_queue.waiting(BRIEF.dead_letters) == 1)
    assert sorted(bodies()) == ["fail", "fail", "fine"]
    assert brief_queue.waiting(BRIEF.name) == 0


def test_an_exception_fails_the_whole_batch(services: StageServices) -> None:
    mapping, brief_queue = sqs_mapping(services, "explode"), BriefQueue(services)
    brief_queue.send("one", "two")
    with polling(mapping):
        wait_for(lambda: brief_queue.waiting(BRIEF.dead_letters) == 2)
    assert sorted(bodies()) == ["one", "one", "two", "two"]


def test_batches_of_a_queue_that_says_so_are_processed_at_the_same_time(services: StageServices) -> None:
    queue = replace(BRIEF, batch=1, at_once=2, visibility_seconds=60)
    mapping, brief_queue = sqs_mapping(services, "wait_for_go", queue), BriefQueue(services)
    brief_queue.send("wait", "go")
    with polling(mapping):
        wait_for(lambda: brief_queue.waiting(BRIEF.name) == 0)
    assert sorted(bodies()) == ["go", "wait"]
