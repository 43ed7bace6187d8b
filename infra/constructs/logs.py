"""Log groups with the stage's retention."""

from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import StageConfig
from infra.constructs.removal import KEEP

_RETENTION = {
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
}


def log_group(scope: Construct, config: StageConfig, name: str) -> logs.LogGroup:
    """A log group that survives its stack, so that tearing a stage down leaves its records for their full time."""
    return logs.LogGroup(
        scope,
        "Logs",
        log_group_name=f"/callmissed/{config.stage}/{name}",
        retention=_RETENTION[config.log_retention_days],
        removal_policy=KEEP,
    )
