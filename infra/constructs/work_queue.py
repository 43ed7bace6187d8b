"""One declared queue with its dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.queues import Queue, physical_queue_name
from infra.constructs.dead_letters import dead_letter_queue


class WorkQueue(Construct):
    """`queue` as declared, and `dead_letters` for a message that its consumer failed on every attempt."""

    def __init__(self, scope: Construct, declared: Queue, stage: str) -> None:
        super().__init__(scope, f"Queue-{declared.name}")
        self.declared = declared
        self.dead_letters = dead_letter_queue(self, "Dead", physical_queue_name(stage, declared.dead_letters))
        self.queue = sqs.Queue(
            self,
            "Work",
            queue_name=physical_queue_name(stage, declared.name),
            visibility_timeout=Duration.seconds(declared.visibility_seconds),
            # A message keeps its age when it becomes a dead letter: what is kept for 4 of 14 days there has 10 left.
            retention_period=Duration.days(4),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=declared.tries),  # pyright: ignore[reportArgumentType]
        )
