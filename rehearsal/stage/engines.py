"""Resources of a plan, created in DynamoDB Local and moto as their templates say."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.account import REGION
from local.aws.engines import dynamodb_local, moto_server
from rehearsal.errors import StageError
from rehearsal.stage import lambdas
from rehearsal.stage.backups import TableBackups
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

if TYPE_CHECKING:
    from collections.abc import Generator

_CREATED_WITH = ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode")


@dataclass(frozen=True)
class Engines:
    """URLs of DynamoDB Local and of moto, and clients for them with an operator's rights."""

    dynamodb_url: str
    other_url: str

    def client(self, service: str) -> Any:
        """A boto3 client for `service`."""
        if service not in self._clients:
            url = self.dynamodb_url if service.startswith("dynamodb") else self.other_url
            config = Config(proxies={}, account_id_endpoint_mode="disabled")
            client: Any = boto3.client(  # pyright: ignore  boto3's overloads take literal names
                service,  # pyright: ignore[reportArgumentType]
                endpoint_url=url,
                region_name=REGION,
                config=config,
                aws_access_key_id="operator",
                aws_secret_access_key="operator",  # noqa: S106  an emulator's, which checks nothing
            )
            self._clients[service] = client
        return self._clients[service]

    @cached_property
    def backups(self) -> TableBackups:
        """The backups of the tables."""
        return TableBackups(self.client("dynamodb"))

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}


@contextmanager
def running_engines(logs: Path) -> "Generator[Engines]":
    """Both engines, empty, in memory. Raises EngineError."""
    with ExitStack() as stack:
        other = stack.enter_context(moto_server(logs / "moto.log"))
        yield Engines(stack.enter_context(dynamodb_local(logs / "dynamodb.log")), other)


def create_resources(engines: Engines, plan: DeploymentPlan) -> None:
    """Create what has an engine. Raises StageError for a name that is taken or a value that is refused."""
    for resource in plan.resources:
        if kind := KINDS.get(resource.type):
            try:
                kind.create(engines, resource)
            except ClientError as error:
                raise StageError(f"{resource.path}: {resource.name} can't be created: {error}") from error


def existing(engines: Engines, plan: DeploymentPlan) -> Iterator[PlannedResource]:
    """The resources of the plan that an engine has."""
    for resource in plan.resources:
        if (kind := KINDS.get(resource.type)) and kind.exists(engines, resource):
            yield resource


@dataclass(frozen=True, slots=True)
class EngineKind:
    """How an engine makes, removes and changes resources of one type; `look` fails for one that is not there."""

    create: Callable[[Engines, PlannedResource], object]
    delete: Callable[[Engines, PlannedResource], object]
    look: Callable[[Engines, PlannedResource], object]
    change: Callable[[Engines, PlannedResource], object] | None = None

    def exists(self, engines: Engines, resource: PlannedResource) -> bool:
        """Whether the engine has `resource`, or still holds its name."""
        try:
            return self.look(engines, resource) is not False
        except ClientError:
            return False


def _create_table(engines: Engines, table: PlannedResource) -> None:
    given = table.properties
    request = {name: given[name] for name in _CREATED_WITH if name in given}
    if indexes := given.get("GlobalSecondaryIndexes"):
        request["GlobalSecondaryIndexes"] = indexes
    if stream := given.get("StreamSpecification"):
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    dynamodb = engines.client("dynamodb")
    dynamodb.create_table(**request, DeletionProtectionEnabled=bool(given.get("DeletionProtectionEnabled")))
    if expiry := given.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"Enabled": expiry["Enabled"], "AttributeName": expiry["AttributeName"]},
        )


def _create_queue(engines: Engines, queue: PlannedResource) -> None:
    names = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds")
    attributes = {name: str(queue.properties[name]) for name in names if name in queue.properties}
    if redrive := queue.properties.get("RedrivePolicy"):
        attributes["RedrivePolicy"] = json.dumps(redrive)
    engines.client("sqs").create_queue(QueueName=queue.name, Attributes=attributes)


def _create_rule(engines: Engines, rule: PlannedResource) -> None:
    given, events = rule.properties, engines.client("events")
    bus, pattern = given.get("EventBusName", "default"), json.dumps(given["EventPattern"])
    events.put_rule(Name=rule.name, EventBusName=bus, EventPattern=pattern, State=given.get("State", "ENABLED"))
    targets = [{"Id": target["Id"], "Arn": target["Arn"]} for target in given["Targets"]]
    events.put_targets(Rule=rule.name, EventBusName=bus, Targets=targets)


def _delete_rule(engines: Engines, rule: PlannedResource) -> None:
    bus, events = rule.properties.get("EventBusName", "default"), engines.client("events")
    events.remove_targets(Rule=rule.name, EventBusName=bus, Ids=[each["Id"] for each in rule.properties["Targets"]])
    events.delete_rule(Name=rule.name, EventBusName=bus)


def _create_secret(engines: Engines, secret: PlannedResource) -> None:
    secrets = engines.client("secretsmanager")
    text = secret.properties.get("SecretString")
    if text is None:
        text = secrets.get_random_password(**secret.properties["GenerateSecretString"])["RandomPassword"]
    secrets.create_secret(Name=secret.name, SecretString=text)


def _look_for_secret(engines: Engines, secret: PlannedResource) -> bool:
    """A name stays taken while its secret can still be restored."""
    return bool(engines.client("secretsmanager").describe_secret(SecretId=secret.name))


def _create_parameter(engines: Engines, parameter: PlannedResource) -> None:
    given = parameter.properties
    engines.client("ssm").put_parameter(Name=parameter.name, Value=given["Value"], Type=given["Type"])


_QUEUE_URL = "QueueUrl"


def _queue_url(engines: Engines, queue: PlannedResource) -> Mapping[str, str]:
    return {_QUEUE_URL: engines.client("sqs").get_queue_url(QueueName=queue.name)[_QUEUE_URL]}


def _look_for_rule(engines: Engines, rule: PlannedResource) -> object:
    bus = rule.properties.get("EventBusName", "default")
    return engines.client("events").describe_rule(Name=rule.name, EventBusName=bus)


def _look_for_group(engines: Engines, group: PlannedResource) -> bool:
    found = engines.client("logs").describe_log_groups(logGroupNamePrefix=group.name)["logGroups"]
    return any(each["logGroupName"] == group.name for each in found)


KINDS: Mapping[str, EngineKind] = {
    "AWS::DynamoDB::Table": EngineKind(
        _create_table,
        lambda engines, table: engines.client("dynamodb").delete_table(TableName=table.name),
        lambda engines, table: engines.client("dynamodb").describe_table(TableName=table.name),
    ),
    "AWS::Events::EventBus": EngineKind(
        lambda engines, bus: engines.client("events").create_event_bus(Name=bus.name),
        lambda engines, bus: engines.client("events").delete_event_bus(Name=bus.name),
        lambda engines, bus: engines.client("events").describe_event_bus(Name=bus.name),
    ),
    "AWS::Events::Rule": EngineKind(_create_rule, _delete_rule, _look_for_rule),
    "AWS::Lambda::Alias": EngineKind(
        lambdas.create_alias, lambdas.delete_alias, lambdas.look_for_alias, lambdas.change_alias
    ),
    "AWS::Lambda::Function": EngineKind(
        lambdas.create_function,
        lambda engines, function: engines.client("lambda").delete_function(FunctionName=function.name),
        lambda engines, function: engines.client("lambda").get_function(FunctionName=function.name),
        lambdas.change_function,
    ),
    "AWS::Lambda::Version": EngineKind(lambdas.publish_version, lambdas.delete_version, lambdas.look_for_version),
    "AWS::Logs::LogGroup": EngineKind(
        lambda engines, group: engines.client("logs").create_log_group(logGroupName=group.name),
        lambda engines, group: engines.client("logs").delete_log_group(logGroupName=group.name),
        _look_for_group,
    ),
    "AWS::S3::Bucket": EngineKind(
        lambda engines, bucket: engines.client("s3").create_bucket(Bucket=bucket.name),
        lambda engines, bucket: engines.client("s3").delete_bucket(Bucket=bucket.name),
        lambda engines, bucket: engines.client("s3").head_bucket(Bucket=bucket.name),
    ),
    "AWS::SNS::Topic": EngineKind(
        lambda engines, topic: engines.client("sns").create_topic(Name=topic.name),
        lambda engines, topic: engines.client("sns").delete_topic(TopicArn=topic.arn),
        lambda engines, topic: engines.client("sns").get_topic_attributes(TopicArn=topic.arn),
    ),
    "AWS::SQS::Queue": EngineKind(
        _create_queue,
        lambda engines, queue: engines.client("sqs").delete_queue(**_queue_url(engines, queue)),
        _queue_url,
    ),
    "AWS::SSM::Parameter": EngineKind(
        _create_parameter,
        lambda engines, parameter: engines.client("ssm").delete_parameter(Name=parameter.name),
        lambda engines, parameter: engines.client("ssm").get_parameter(Name=parameter.name),
    ),
    "AWS::Scheduler::ScheduleGroup": EngineKind(
        lambda engines, group: engines.client("scheduler").create_schedule_group(Name=group.name),
        lambda engines, group: engines.client("scheduler").delete_schedule_group(Name=group.name),
        lambda engines, group: engines.client("scheduler").get_schedule_group(Name=group.name),
    ),
    "AWS::SecretsManager::Secret": EngineKind(
        _create_secret,
        lambda engines, secret: engines.client("secretsmanager").delete_secret(
            SecretId=secret.name, ForceDeleteWithoutRecovery=True
        ),
        _look_for_secret,
    ),
}
"""Types that an engine has. A type that is not here exists in the plan alone."""
