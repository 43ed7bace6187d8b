"""What stands in for the AWS services beside DynamoDB: queues, the event bus and buckets, in one moto server."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callmissed.platform.queues import QUEUES, Queue, Rule, physical_queue_name
from callmissed.platform.resources import EVENT_BUS, RESOURCES, Resource, ResourceKind
from local.aws.account import ACCOUNT, REGION
from local.aws.clients import local_client

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_sqs import SQSClient

_DEAD_LETTER_DAYS = 14
_BUCKETS = tuple(resource for resource in RESOURCES if resource.kind is ResourceKind.BUCKET)


@dataclass(frozen=True, slots=True)
class StageServices:
    """Queues, bus and buckets of one stage on one `endpoint`."""

    endpoint: str
    stage: str

    @property
    def queue_base(self) -> str:
        """URL of the account's queues, without their names."""
        return f"{self.endpoint}/{ACCOUNT}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which functions find the services and the buckets."""
        buckets = {bucket.variable: self.bucket(bucket) for bucket in _BUCKETS if bucket.variable}
        return {"CALLMISSED_AWS_ENDPOINT": self.endpoint, "CALLMISSED_QUEUE_BASE": self.queue_base, **buckets}

    def bucket(self, declared: Resource) -> str:
        """Name of a declared bucket; a deployed one's is longer, because S3 names are unique worldwide."""
        return f"callmissed-{self.stage}-{declared.name}"

    def queue_url(self, name: str) -> str:
        """URL of the queue, or dead-letter queue, that is declared as `name`."""
        return f"{self.queue_base}/{physical_queue_name(self.stage, name)}"

    def queue_arn(self, name: str) -> str:
        """ARN of the same queue."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{physical_queue_name(self.stage, name)}"


def create_services(services: StageServices, queues: tuple[Queue, ...] = QUEUES) -> None:
    """Create the buckets, the bus, and `queues` with their dead-letter queues and rules.

    Raises botocore's `ClientError`.
    """
    s3 = local_client("s3", services.endpoint)
    for declared in _BUCKETS:
        s3.create_bucket(Bucket=services.bucket(declared))
    events = local_client("events", services.endpoint)
    events.create_event_bus(Name=EVENT_BUS.physical_name(services.stage))
    sqs = local_client("sqs", services.endpoint)
    for queue in queues:
        _create_queue(sqs, services, queue)
        for name, rule in queue.named_rules():
            _create_rule(events, services, queue, name, rule)


def _create_queue(sqs: "SQSClient", services: StageServices, queue: Queue) -> None:
    retention = str(_DEAD_LETTER_DAYS * 24 * 3600)
    dead_letters = physical_queue_name(services.stage, queue.dead_letters)
    sqs.create_queue(QueueName=dead_letters, Attributes={"MessageRetentionPeriod": retention})
    redrive = {"deadLetterTargetArn": services.queue_arn(queue.dead_letters), "maxReceiveCount": queue.tries}
    sqs.create_queue(
        QueueName=physical_queue_name(services.stage, queue.name),
        Attributes={"VisibilityTimeout": str(queue.visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )


def _create_rule(
    events: "EventBridgeClient", services: StageServices, queue: Queue, declared_name: str, rule: Rule
) -> None:
    bus, name = EVENT_BUS.physical_name(services.stage), physical_queue_name(services.stage, declared_name)
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(rule.pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": services.queue_arn(queue.name)}])
