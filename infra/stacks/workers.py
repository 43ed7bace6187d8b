"""The functions that no caller reaches, and the schedules that start them."""

from aws_cdk import Stack
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.functions import FUNCTIONS, SCHEDULES, Function, Schedule
from infra.config import StageConfig
from infra.constructs.dead_letters import dead_letter_queue
from infra.constructs.python_function import PythonFunction, Setting, setting
from infra.constructs.stores import Stores
from infra.stacks.api import SERVED

WORKERS = tuple(function for function in FUNCTIONS if function not in SERVED)


class WorkersStack(Stack):
    """`functions` by name, and `failures`: one dead-letter queue for each, by the function's name."""

    def __init__(self, scope: Construct, config: StageConfig, stores: Stores, undelivered: sqs.IQueue) -> None:
        super().__init__(
            scope,
            "workers",
            stack_name=config.named("workers"),
            env=config.environment,
            description="CallMissed: scheduled functions",
        )
        self.failures = {worker.name: self._failures(worker, config) for worker in WORKERS}
        shared = setting(self, config, stores)
        self.functions = {worker.name: self._worker(worker, shared) for worker in WORKERS}
        group = scheduler.ScheduleGroup(self, "Schedules", schedule_group_name=config.service)
        for schedule in SCHEDULES:
            self._schedule(schedule, group, undelivered)

    def _failures(self, worker: Function, config: StageConfig) -> sqs.Queue:
        return dead_letter_queue(self, f"Failures-{worker.name}", config.named(f"{worker.name}-failures"))

    def _worker(self, worker: Function, shared: Setting) -> PythonFunction:
        # No SnapStart: nobody waits for a scheduled function, and a snapshot is billed whether used or not.
        return PythonFunction(self, worker, shared, failures=self.failures[worker.name])

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
