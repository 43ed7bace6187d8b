"""SnapStart: which functions have a snapshot, and the weekly call that keeps it.

Lambda deletes a snapshot that was not used for 14 days, refuses the next call, and makes a new one meanwhile.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html
"""

from aws_cdk import Duration
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets

from callmissed.platform.functions import Function
from callmissed.platform.functions.wake_up import wake_up_event
from infra.config import StageConfig
from infra.constructs.python_function import PythonFunction


def is_snapshotted(declared: Function, config: StageConfig) -> bool:
    """Whether Lambda takes snapshots of the function in this stage."""
    return config.snap_start and declared.snap_start


def keep_snapshot(function: PythonFunction, config: StageConfig) -> None:
    """Call `function` once a week."""
    name = function.declared.name
    scheduler.Schedule(
        function,
        "WakeUp",
        schedule_name=config.named(f"wake-up-{name}"),
        description=f"keep the snapshot of {name}",
        schedule=scheduler.ScheduleExpression.rate(Duration.days(7)),
        target=targets.LambdaInvoke(  # pyright: ignore[reportArgumentType]
            function.alias,  # pyright: ignore[reportArgumentType]
            input=scheduler.ScheduleTargetInput.from_object(wake_up_event(function.declared)),
        ),
    )
