"""SnapStart: which functions have a snapshot, and the weekly call that keeps it.

Lambda deletes a snapshot that was not used for 14 days, refuses the next call, and makes a new one meanwhile.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html
"""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.platform.functions import Function
from callmissed.platform.functions.wake_up import wake_up_event
from infra.config import StageConfig
from infra.constructs.locations import alias_arn


def is_snapshotted(declared: Function, config: StageConfig) -> bool:
    """Whether Lambda takes snapshots of the function in this stage."""
    return config.snap_start and declared.snap_start


def keep_snapshot(
    scope: Construct, declared: Function, config: StageConfig, group: scheduler.ScheduleGroup, undelivered: sqs.IQueue
) -> None:
    """Call the function, which another stack has, once a week by a schedule of `group`."""
    called = lambda_.Function.from_function_arn(scope, f"Woken-{declared.name}", alias_arn(declared, config))
    scheduler.Schedule(
        scope,
        f"WakeUp-{declared.name}",
        schedule_name=f"wake-up-{declared.name}",
        schedule_group=group,
        description=f"keep the snapshot of {declared.name}",
        schedule=scheduler.ScheduleExpression.rate(Duration.days(7)),
        target=targets.LambdaInvoke(  # pyright: ignore[reportArgumentType]
            called,
            input=scheduler.ScheduleTargetInput.from_object(wake_up_event(declared)),
            dead_letter_queue=undelivered,
            role=_role(scope, declared, config, group, undelivered),
        ),
    )


def _role(
    scope: Construct, declared: Function, config: StageConfig, group: scheduler.ScheduleGroup, undelivered: sqs.IQueue
) -> iam.IRole:
    """A role for exactly the call and its dead letter: the CDK would allow the call of more than the alias."""
    conditions = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": group.schedule_group_arn}}
    service = iam.ServicePrincipal("scheduler.amazonaws.com", conditions=conditions)
    role = iam.Role(scope, f"WakeUpRole-{declared.name}", assumed_by=service)  # pyright: ignore[reportArgumentType]
    for action, arn in (
        ("lambda:InvokeFunction", alias_arn(declared, config)),
        ("sqs:SendMessage", undelivered.queue_arn),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[arn]))
    return role.without_policy_updates()
