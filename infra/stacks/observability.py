"""Alarms for the operator, and a dashboard. What each alarm means: docs/operations.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from callmissed.aws.queues import MAX_DELAY_SECONDS
from callmissed.observability import NAMESPACE
from callmissed.platform.functions import AUTHORIZER
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.python_function import PythonFunction
from infra.constructs.work_queue import WorkQueue
from infra.stacks.api import ApiStack
from infra.stacks.events import EventsStack
from infra.stacks.workers import WorkersStack

_Missing = cloudwatch.TreatMissingData
_MINUTE = Duration.minutes(1)
_FIVE_MINUTES = Duration.minutes(5)
_OLDEST_SECONDS = 15 * 60
"""Longer than the wait of a message that fails twice and then succeeds; later failures become dead letters."""


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """One alarm, raised when `metric` exceeds `threshold` in `periods` periods one after the other."""

    name: str
    metric: cloudwatch.IMetric
    meaning: str
    threshold: int = 0
    periods: int = 1
    missing: cloudwatch.TreatMissingData = _Missing.NOT_BREACHING


class ObservabilityStack(Stack):
    """`topic` gets every alarm."""

    def __init__(
        self, scope: Construct, config: StageConfig, api: ApiStack, events: EventsStack, workers: WorkersStack
    ) -> None:
        super().__init__(
            scope,
            "observability",
            stack_name=config.named("observability"),
            env=config.environment,
            description="CallMissed: alarms and dashboard",
        )
        functions = [*api.functions.values(), *workers.functions.values()]
        queues = list(events.channels.queues.values())
        server_errors = api.api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum")
        self.topic = _topic(self, config)
        ledger = list(_ledger_alarms(config))
        specs = [
            *ledger,
            *_function_alarms(functions),
            *_callback_alarms(config),
            *_dead_letter_alarms({"undelivered": events.undelivered, **workers.failures, **_dead_letters(queues)}),
            *_queue_alarms(queues),
            *_stream_alarms(workers.functions.values()),
            AlarmSpec("api-server-errors", server_errors, "API Gateway answers 5xx.", threshold=5),
        ]
        for spec in specs:
            _alarm(self, config, spec).add_alarm_action(actions.SnsAction(self.topic))  # pyright: ignore[reportArgumentType]
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=config.service)
        board.add_widgets(*_api_graphs(api), _graph("Ledger", [spec.metric for spec in ledger]))
        board.add_widgets(*_delivery_graphs(config, queues, workers.functions.values()))
        for function in functions:
            board.add_widgets(*_function_graphs(function))
        CfnOutput(self, "AlarmTopic", value=self.topic.topic_arn)


def counted(config: StageConfig, name: str) -> cloudwatch.Metric:
    """A metric that our code counts, summed by the minute."""
    service = {"service": config.service}
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=name, dimensions_map=service, period=_MINUTE, statistic="Sum"
    )


def _ledger_alarms(config: StageConfig) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "HoldSweepBacklog",
        counted(config, "HoldSweepBacklog"),
        "Calls keep ending without settling their holds, or the sweep does not run.",
        threshold=10,
        periods=5,
        missing=_Missing.BREACHING,
    )
    yield AlarmSpec(
        "LedgerDrift",
        counted(config, "LedgerDrift"),
        "A wallet differs from the sum of its ledger entries. Stays until a reconciliation finds none.",
        missing=_Missing.IGNORE,
    )
    yield AlarmSpec(
        "HoldShortfall",
        counted(config, "HoldShortfall"),
        "A call cost more than its hold; the difference was not charged.",
    )
    yield AlarmSpec(
        "SettledAfterVoid",
        counted(config, "SettledAfterVoid"),
        "A call ended after its hold was swept and released; it was not charged.",
    )
    yield AlarmSpec(
        "RunawayReply",
        counted(config, "RunawayReply"),
        "A provider's reply went on far above its output limit and was stopped.",
    )


def _callback_alarms(config: StageConfig) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "CallbackRejected",
        counted(config, "CallbackRejected"),
        "A provider sent a shape that can't be read; it is kept for 30 days and not tried again.",
    )


def _function_alarms(functions: Sequence[PythonFunction]) -> Iterator[AlarmSpec]:
    for function in functions:
        name, alias = function.declared.name, function.alias
        # The authorizer refuses a key by an error; where it really fails, the API answers 5xx, which has its alarm.
        if function.declared is not AUTHORIZER:
            yield AlarmSpec(
                f"{name}-errors", alias.metric_errors(period=_FIVE_MINUTES), f"{name} crashed or timed out."
            )
        yield AlarmSpec(
            f"{name}-throttles", alias.metric_throttles(period=_FIVE_MINUTES), f"{name} ran out of concurrency."
        )


def _dead_letters(queues: Iterable[WorkQueue]) -> dict[str, sqs.Queue]:
    return {queue.declared.name: queue.dead_letters for queue in queues}


def _dead_letter_alarms(queues: Mapping[str, sqs.Queue]) -> Iterator[AlarmSpec]:
    for name, queue in queues.items():
        meaning = "Something could not be delivered or done, and is kept for 14 days."
        yield AlarmSpec(f"{name}-dead-letters", _depth(queue), meaning)


def _queue_alarms(queues: Iterable[WorkQueue]) -> Iterator[AlarmSpec]:
    for queue in queues:
        # Only our own functions delay messages; what the bus brings is due at once.
        delay = 0 if queue.declared.rules else MAX_DELAY_SECONDS
        meaning = f"{queue.declared.consumer} does not keep up with its queue."
        yield AlarmSpec(
            f"{queue.declared.name}-oldest", _oldest(queue.queue), meaning, threshold=_OLDEST_SECONDS + delay
        )


def _stream_alarms(workers: Iterable[PythonFunction]) -> Iterator[AlarmSpec]:
    for worker in workers:
        if worker.declared.follows:
            name = worker.declared.name
            meaning = f"{name} does not keep up with the table that it follows, or a record holds it up."
            yield AlarmSpec(f"{name}-lag", _lag(worker), meaning, threshold=5 * 60 * 1000)


def _depth(queue: sqs.Queue) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES, statistic="Maximum")


def _oldest(queue: sqs.Queue) -> cloudwatch.Metric:
    """Age of the oldest message, in seconds."""
    return queue.metric_approximate_age_of_oldest_message(period=_FIVE_MINUTES, statistic="Maximum")


def _lag(worker: PythonFunction) -> cloudwatch.Metric:
    """Age of the last record that the function got from its stream, in milliseconds."""
    return worker.alias.metric("IteratorAge", period=_FIVE_MINUTES, statistic="Maximum")


def _alarm(scope: Construct, config: StageConfig, spec: AlarmSpec) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        scope,
        f"Alarm-{spec.name}",
        alarm_name=config.named(spec.name),
        alarm_description=spec.meaning,
        metric=spec.metric,
        threshold=spec.threshold,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=spec.periods,
        treat_missing_data=spec.missing,
    )


def _topic(scope: Construct, config: StageConfig) -> sns.Topic:
    # CloudWatch can't publish through AWS's own SNS key, so the topic has a key that lets it.
    key = kms.Key(scope, "AlarmKey", enable_key_rotation=True, description="Encrypts alarm notifications")
    key.grant_encrypt_decrypt(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
    topic = sns.Topic(scope, "Alarms", topic_name=config.named("alarms"), master_key=key, enforce_ssl=True)  # pyright: ignore[reportArgumentType]
    if config.alarm_email:
        topic.add_subscription(subscriptions.EmailSubscription(config.alarm_email))  # pyright: ignore[reportArgumentType]
        accept(topic, "The alarm stays in CloudWatch whether or not its mail arrives.", "Serverless-SNSRedrivePolicy")
    return topic


def _api_graphs(api: ApiStack) -> Iterator[cloudwatch.GraphWidget]:
    metrics = api.api
    yield _graph("Requests", [metrics.metric_count()])
    yield _graph("Refusals and failures", [metrics.metric_client_error(), metrics.metric_server_error()])
    yield _graph("Latency p50, p99", [metrics.metric_latency(statistic=percentile) for percentile in ("p50", "p99")])


def _delivery_graphs(
    config: StageConfig, queues: Sequence[WorkQueue], workers: Iterable[PythonFunction]
) -> Iterator[cloudwatch.GraphWidget]:
    yield _graph("Messages waiting", [_depth(queue.queue) for queue in queues])
    yield _graph("Oldest message (s)", [_oldest(queue.queue) for queue in queues])
    yield _graph("Dead letters", [_depth(queue.dead_letters) for queue in queues])
    yield _graph("Streams behind (ms)", [_lag(worker) for worker in workers if worker.declared.follows])
    yield _graph("Webhooks disabled", [counted(config, "EndpointDisabled")])


def _function_graphs(function: PythonFunction) -> Iterator[cloudwatch.GraphWidget]:
    name, alias = function.declared.name, function.alias
    yield _graph(f"{name}: calls", [alias.metric_invocations()])
    yield _graph(f"{name}: errors, throttles", [alias.metric_errors(), alias.metric_throttles()])
    yield _graph(f"{name}: duration p99", [alias.metric_duration(statistic="p99")])


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=6)
