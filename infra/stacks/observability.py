"""Alarms for the operator, and a dashboard. What each alarm means: docs/operations.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from callmissed.aws.queues import MAX_DELAY_SECONDS
from callmissed.platform.functions import Function
from callmissed.platform.queues import UNDELIVERED, Queue
from infra.config import StageConfig
from infra.constructs.checks import accept
from infra.constructs.metrics import StageMetrics
from infra.declarations import Declarations

_Missing = cloudwatch.TreatMissingData
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

    def __init__(self, scope: Construct, config: StageConfig, declared: Declarations) -> None:
        super().__init__(
            scope,
            "observability",
            stack_name=config.named("observability"),
            env=config.environment,
            description="CallMissed: alarms and dashboard",
        )
        metrics = StageMetrics(config)
        self.topic = _topic(self, config)
        for spec in _alarms(metrics, declared):
            _alarm(self, config, spec).add_alarm_action(actions.SnsAction(self.topic))  # pyright: ignore[reportArgumentType]
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=config.service)
        board.add_widgets(*_api_graphs(metrics))
        board.add_widgets(*_delivery_graphs(metrics, declared))
        board.add_widgets(*_function_graphs(metrics, declared))
        CfnOutput(self, "AlarmTopic", value=self.topic.topic_arn)


def _alarms(metrics: StageMetrics, declared: Declarations) -> Iterator[AlarmSpec]:
    yield from _ledger_alarms(metrics)
    yield from _function_alarms(metrics, declared.served)
    yield from _payment_alarms(metrics)
    yield from _callback_alarms(metrics)
    yield from _dead_letter_alarms(metrics, declared)
    yield from _queue_alarms(metrics, declared.queues)
    yield from _stream_alarms(metrics, declared.workers)
    yield AlarmSpec("api-server-errors", metrics.api("5XXError"), "API Gateway answers 5xx.", threshold=5)


def _ledger_alarms(metrics: StageMetrics) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "HoldSweepBacklog",
        metrics.counted("HoldSweepBacklog"),
        "Calls keep ending without settling their holds, or the sweep does not run.",
        threshold=10,
        periods=5,
        missing=_Missing.BREACHING,
    )
    yield AlarmSpec(
        "LedgerDrift",
        metrics.counted("LedgerDrift"),
        "A wallet differs from the sum of its ledger entries. Stays until a reconciliation finds none.",
        missing=_Missing.IGNORE,
    )
    yield AlarmSpec(
        "HoldShortfall",
        metrics.counted("HoldShortfall"),
        "A call cost more than its hold; the difference was not charged.",
    )
    yield AlarmSpec(
        "SettledAfterVoid",
        metrics.counted("SettledAfterVoid"),
        "A call ended after its hold was swept and released; it was not charged.",
    )
    yield AlarmSpec(
        "RunawayReply",
        metrics.counted("RunawayReply"),
        "A provider's reply went on far above its output limit and was stopped.",
    )


def _payment_alarms(metrics: StageMetrics) -> Iterator[AlarmSpec]:
    for name, meaning in {
        "PaymentMismatch": "A payment has another amount than its order, or a status that is not documented.",
        "PaymentDisputed": "A buyer asked the bank for the money back.",
        "RefundFailed": "A refund failed for good, was reversed, or is undecided for a week.",
        "RefundMismatch": "Money went back that we know otherwise: another amount, twice, or an unknown status.",
        "SubscriptionSweepFailures": "A plan's period could not be ended, or its change not be completed.",
    }.items():
        yield AlarmSpec(name, metrics.counted(name), meaning)


def _callback_alarms(metrics: StageMetrics) -> Iterator[AlarmSpec]:
    yield AlarmSpec(
        "CallbackRejected",
        metrics.counted("CallbackRejected"),
        "A provider sent a shape that can't be read; it is kept for 30 days and not tried again.",
    )


def _function_alarms(metrics: StageMetrics, served: Sequence[Function]) -> Iterator[AlarmSpec]:
    """Errors where nothing else shows them: what a worker fails comes again, and then is a dead letter or late.

    What does not stream fails with a 5xx of the API, which has its alarm; a stream that breaks off was a 200.
    """
    for function in served:
        if function.web_app:
            meaning = f"{function.name} crashed or timed out."
            yield AlarmSpec(f"{function.name}-errors", metrics.function(function, "Errors"), meaning)
    yield AlarmSpec("throttles", metrics.account_throttles(), "The account's concurrency is used up.")


def _dead_letter_alarms(metrics: StageMetrics, declared: Declarations) -> Iterator[AlarmSpec]:
    for name, queue in _dead_letter_queues(declared).items():
        meaning = "Something could not be delivered or done, and is kept for 14 days."
        yield AlarmSpec(f"{name}-dead-letters", metrics.depth(queue), meaning)


def _dead_letter_queues(declared: Declarations) -> dict[str, str]:
    """By what did not do its work: a function, a queue's consumer, or the bus and the scheduler."""
    failures = {worker.name: worker.failures for worker in declared.keeping_failures}
    return {UNDELIVERED: UNDELIVERED} | failures | {queue.name: queue.dead_letters for queue in declared.queues}


def _queue_alarms(metrics: StageMetrics, queues: Sequence[Queue]) -> Iterator[AlarmSpec]:
    for queue in queues:
        # Only our own functions delay messages; what the bus brings is due at once.
        delay = 0 if queue.rules else MAX_DELAY_SECONDS
        # A message that failed once waits for the visibility timeout, and one more may be in work then.
        waits = max(_OLDEST_SECONDS, 2 * queue.visibility_seconds + 60)
        meaning = f"{queue.consumer} does not keep up with its queue."
        yield AlarmSpec(f"{queue.name}-oldest", metrics.oldest(queue.name), meaning, threshold=waits + delay)


def _stream_alarms(metrics: StageMetrics, workers: Sequence[Function]) -> Iterator[AlarmSpec]:
    for worker in workers:
        if worker.follows:
            meaning = f"{worker.name} does not keep up with the table that it follows, or a record holds it up."
            yield AlarmSpec(f"{worker.name}-lag", metrics.lag(worker), meaning, threshold=5 * 60 * 1000)


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
    """The topic has no key: CloudWatch can't publish through AWS's own one, and alarms hold nothing secret."""
    topic = sns.Topic(scope, "Alarms", topic_name=config.named("alarms"), enforce_ssl=True)
    accept(topic, "Alarms name resources and thresholds, and nothing of a tenant.", "AwsSolutions-SNS2")
    topic.add_to_resource_policy(_publishing_alarms(topic, config))
    if config.alarm_email:
        topic.add_subscription(subscriptions.EmailSubscription(config.alarm_email))  # pyright: ignore[reportArgumentType]
        accept(topic, "The alarm stays in CloudWatch whether or not its mail arrives.", "Serverless-SNSRedrivePolicy")
    return topic


def _publishing_alarms(topic: sns.Topic, config: StageConfig) -> iam.PolicyStatement:
    """A topic with a policy of its own lacks the default one, by which CloudWatch may publish.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    alarms = f"arn:{Aws.PARTITION}:cloudwatch:{config.region}:{Aws.ACCOUNT_ID}:alarm:{config.named('*')}"
    return iam.PolicyStatement(
        actions=["sns:Publish"],
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],  # pyright: ignore[reportArgumentType]
        resources=[topic.topic_arn],
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, "ArnLike": {"aws:SourceArn": alarms}},
    )


def _api_graphs(metrics: StageMetrics) -> Iterator[cloudwatch.GraphWidget]:
    yield _graph("Requests", [metrics.api("Count")])
    yield _graph("Refusals and failures", [metrics.api("4XXError"), metrics.api("5XXError")])
    yield _graph("Latency p50, p99", [metrics.api("Latency", percentile) for percentile in ("p50", "p99")])
    yield _graph("Money", [spec.metric for spec in (*_ledger_alarms(metrics), *_payment_alarms(metrics))])


def _delivery_graphs(metrics: StageMetrics, declared: Declarations) -> Iterator[cloudwatch.GraphWidget]:
    yield _graph("Oldest message (s)", [metrics.oldest(queue.name) for queue in declared.queues])
    kept = (UNDELIVERED, *(queue.dead_letters for queue in declared.queues))
    yield _graph("Dead letters", [metrics.depth(queue) for queue in kept])
    yield _graph("Streams behind (ms)", [metrics.lag(worker) for worker in declared.workers if worker.follows])
    yield _graph("Webhooks disabled", [metrics.counted("EndpointDisabled")])


def _function_graphs(metrics: StageMetrics, declared: Declarations) -> Iterator[cloudwatch.GraphWidget]:
    """Of the functions for which a caller waits: what a worker fails is a dead letter or late."""
    yield _graph("Errors", [metrics.function(function, "Errors") for function in declared.served])
    yield _graph("Duration p99 (ms)", [metrics.function(function, "Duration", "p99") for function in declared.served])


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=6)
