"""The functions without callers of their own, and the schedules, queues and streams that start them."""

from collections.abc import Mapping

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.functions import Function, Schedule
from callmissed.platform.queues import UNDELIVERED, physical_queue_name
from infra.config import StageConfig
from infra.constructs.dead_letters import dead_letter_queue
from infra.constructs.event_sources import consume_queue, consume_stream
from infra.constructs.locations import queue_arn
from infra.constructs.python_function import PythonFunction, stack_context
from infra.declarations import Declarations
from infra.optional.mails import allow_mails
from infra.optional.snapshots import is_snapshotted, keep_snapshot


class WorkersStack(Stack):
    """`streams` are the ARNs of the streams by table."""

    def __init__(
        self, scope: Construct, config: StageConfig, declared: Declarations, streams: Mapping[str, str]
    ) -> None:
        super().__init__(
            scope,
            "workers",
            stack_name=config.named("workers"),
            env=config.environment,
            description="CallMissed: functions behind schedules, queues and streams",
        )
        failures = {worker.name: self._failures(worker, config) for worker in declared.keeping_failures}
        context = stack_context(self, config, declared.workers)
        # No SnapStart: no caller waits for these functions, and a snapshot is billed whether used or not.
        scheduled = {schedule.function for schedule in declared.schedules}
        self._functions = {
            worker.name: PythonFunction(
                self, worker, context, failures=failures.get(worker.name), traced=worker.name not in scheduled
            )
            for worker in declared.workers
        }
        for worker in self._functions.values():
            allow_mails(worker.role, worker.declared, config)
        for queue in declared.queues:
            consume_queue(self._functions[queue.consumer], queue, config)
        for worker in declared.workers:
            if table := worker.follows:
                stream = config.restored_streams.get(table) or streams[table]
                consume_stream(self._functions[worker.name], table, stream, failures[worker.name])
        self._call_on_schedule(declared, config)

    def _failures(self, worker: Function, config: StageConfig) -> sqs.Queue:
        name = physical_queue_name(config.stage, worker.failures)
        return dead_letter_queue(self, f"Failures-{worker.name}", name)

    def _call_on_schedule(self, declared: Declarations, config: StageConfig) -> None:
        undelivered = sqs.Queue.from_queue_arn(self, "Undelivered", queue_arn(UNDELIVERED, config))
        group = scheduler.ScheduleGroup(
            self, "Schedules", schedule_group_name=config.service, removal_policy=RemovalPolicy.DESTROY
        )
        for schedule in declared.schedules:
            self._schedule(schedule, group, undelivered)
        for function in declared.served:
            if is_snapshotted(function, config):
                keep_snapshot(self, function, config, group, undelivered)

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
                self._functions[declared.function].alias,  # pyright: ignore[reportArgumentType]
                input=scheduler.ScheduleTargetInput.from_object(event),
                dead_letter_queue=undelivered,
            ),
        )
