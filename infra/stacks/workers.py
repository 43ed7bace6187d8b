"""The functions without callers of their own, and the schedules, queues and streams that start them."""

from aws_cdk import Stack
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.functions import FUNCTIONS, SCHEDULES, Function, Schedule
from callmissed.platform.queues import DISPATCH
from infra.config import StageConfig
from infra.constructs.dead_letters import dead_letter_queue
from infra.constructs.event_sources import consume_queue, consume_stream
from infra.constructs.python_function import PythonFunction, StackContext, stack_context
from infra.constructs.stores import Stores
from infra.constructs.work_queue import WorkQueue
from infra.stacks.api import SERVED
from infra.stacks.events import EventsStack

WORKERS = tuple(function for function in FUNCTIONS if function not in SERVED)
_SCHEDULED = {schedule.function for schedule in SCHEDULES}


class WorkersStack(Stack):
    """`functions` by name, and `failures`: by the function's name, the dead letters of schedules and streams."""

    def __init__(self, scope: Construct, config: StageConfig, stores: Stores, events: EventsStack) -> None:
        super().__init__(
            scope,
            "workers",
            stack_name=config.named("workers"),
            env=config.environment,
            description="CallMissed: functions behind schedules, queues and streams",
        )
        keeping = [worker for worker in WORKERS if worker.follows or worker.name in _SCHEDULED]
        self.failures = {worker.name: self._failures(worker, config) for worker in keeping}
        context = stack_context(self, config, stores, events.channels, WORKERS)
        self.functions = {worker.name: self._worker(worker, context) for worker in WORKERS}
        for queue in events.channels.queues.values():
            self._consume_queue(queue, config)
        for worker in WORKERS:
            if table := worker.follows:
                stream = config.restored_streams.get(table) or stores.tables[table].table_stream_arn or ""
                consume_stream(self.functions[worker.name], table, stream, self.failures[worker.name])
        group = scheduler.ScheduleGroup(self, "Schedules", schedule_group_name=config.service)
        for schedule in SCHEDULES:
            self._schedule(schedule, group, events.undelivered)

    def _failures(self, worker: Function, config: StageConfig) -> sqs.Queue:
        return dead_letter_queue(self, f"Failures-{worker.name}", config.named(f"{worker.name}-failures"))

    def _worker(self, worker: Function, context: StackContext) -> PythonFunction:
        # No SnapStart: no caller waits for these functions, and a snapshot is billed whether used or not.
        return PythonFunction(self, worker, context, failures=self.failures.get(worker.name))

    def _consume_queue(self, queue: WorkQueue, config: StageConfig) -> None:
        max_concurrency = config.webhooks_at_once if queue.declared is DISPATCH else None
        consume_queue(self.functions[queue.declared.consumer], queue, max_concurrency)

    def _schedule(self, declared: Schedule, group: scheduler.ScheduleGroup, undelivered: sqs.IQueue) -> None:
        event = {"schedule": declared.name, "at": scheduler.ContextAttribute.scheduled_time}
        scheduler.Schedule(
            self,
            f"Schedule-{declared.name}",
            schedule_name=declared.name,
            schedule_group=group,
            description=declared.meaning,
            schedule=scheduler.ScheduleExpression.expression(declared.expression),
            target=targets.LambdaInvoke(  # pyright: ignore[reportArgumentType]
                self.functions[declared.function].alias,  # pyright: ignore[reportArgumentType]
                input=scheduler.ScheduleTargetInput.from_object(event),
                dead_letter_queue=undelivered,
            ),
        )
