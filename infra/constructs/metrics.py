"""CloudWatch metrics of what is declared, found by physical names."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from callmissed.observability import NAMESPACE
from callmissed.platform.functions import Function
from callmissed.platform.queues import physical_queue_name
from infra.config import StageConfig
from infra.constructs.locations import ALIAS

_MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)


@dataclass(frozen=True, slots=True)
class StageMetrics:
    """Metrics of one stage. Nothing here refers to a resource, so no stack exports one for the sake of a graph."""

    config: StageConfig

    def counted(self, name: str) -> cloudwatch.Metric:
        """A metric that our code counts, summed by the minute."""
        service = {"service": self.config.service}
        return cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=name, dimensions_map=service, period=_MINUTE, statistic="Sum"
        )

    def api(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of the REST API."""
        return _metric("AWS/ApiGateway", name, {"ApiName": self.config.service}, statistic)

    def function(self, function: Function, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of a function's live version."""
        physical = function.physical_name(self.config.stage)
        dimensions = {"FunctionName": physical, "Resource": f"{physical}:{ALIAS}"}
        return _metric("AWS/Lambda", name, dimensions, statistic)

    def account_throttles(self) -> cloudwatch.Metric:
        """Throttles of every function in the account: they share its concurrency."""
        return _metric("AWS/Lambda", "Throttles", {}, "Sum")

    def lag(self, function: Function) -> cloudwatch.Metric:
        """Age of the last record that the function got from its stream, in milliseconds."""
        return self.function(function, "IteratorAge", "Maximum")

    def depth(self, queue: str) -> cloudwatch.Metric:
        """Number of messages in the queue that is declared as `queue`."""
        return self._queue(queue, "ApproximateNumberOfMessagesVisible")

    def oldest(self, queue: str) -> cloudwatch.Metric:
        """Age of the queue's oldest message, in seconds."""
        return self._queue(queue, "ApproximateAgeOfOldestMessage")

    def _queue(self, queue: str, name: str) -> cloudwatch.Metric:
        dimensions = {"QueueName": physical_queue_name(self.config.stage, queue)}
        return _metric("AWS/SQS", name, dimensions, "Maximum")


def _metric(namespace: str, name: str, dimensions: dict[str, str], statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, period=_FIVE_MINUTES, statistic=statistic
    )
