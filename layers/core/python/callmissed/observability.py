"""Logs as JSON lines and metrics as CloudWatch's embedded format, both through Powertools.

Secrets, prompts and replies are never logged; of a call only ids, counts and times are logged.
"""

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "CallMissed"


def get_logger(name: str) -> Logger:
    """The logger of one part, such as `inference`; its level comes from POWERTOOLS_LOG_LEVEL."""
    return Logger(service=f"callmissed-{name}")


def count(metric: str, value: int = 1, **dimensions: str) -> None:
    """Add `value` to a CloudWatch metric by one log line; `infra` sets alarms on the names used here."""
    metrics = EphemeralMetrics(namespace=NAMESPACE)  # unlike `single_metric`, respects POWERTOOLS_METRICS_DISABLED
    for name, text in dimensions.items():
        metrics.add_dimension(name=name, value=text)
    metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()
