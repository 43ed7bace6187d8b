"""What CloudFormation returns for a resource: the value of `Ref`, and attributes for `Fn::GetAtt`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.aws.account import ACCOUNT, REGION

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
STREAM_LABEL = "2026-01-01T00:00:00.000"


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """How a type's resources are named: `named_by` is the property with the name, `{name}` in the patterns.

    A resource without that property has a generated name. Other properties may stand in patterns too.
    """

    named_by: str = ""
    ref: str = "{name}"
    arn: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


_RULES: Mapping[str, IdentityRule] = {
    "AWS::ApiGateway::RestApi": IdentityRule(attributes={"RootResourceId": "root", "RestApiId": "{name}"}),
    "AWS::ApiGateway::Deployment": IdentityRule(attributes={"DeploymentId": "{name}"}),
    "AWS::ApiGateway::Stage": IdentityRule("StageName"),
    "AWS::ApiGateway::DomainName": IdentityRule(
        "DomainName",
        attributes={
            "RegionalDomainName": f"d-{{name}}.execute-api.{REGION}.amazonaws.com",
            "RegionalHostedZoneId": "Z1",
        },
    ),
    "AWS::CloudWatch::Alarm": IdentityRule("AlarmName", arn=_arn("cloudwatch", "alarm:{name}")),
    "AWS::DynamoDB::Table": IdentityRule(
        "TableName",
        arn=_arn("dynamodb", "table/{name}"),
        attributes={"StreamArn": _arn("dynamodb", f"table/{{name}}/stream/{STREAM_LABEL}")},
    ),
    "AWS::Events::EventBus": IdentityRule("Name", arn=_arn("events", "event-bus/{name}")),
    "AWS::Events::Rule": IdentityRule("Name", arn=_arn("events", "rule/{EventBusName}/{name}")),
    "AWS::IAM::Role": IdentityRule(
        "RoleName", arn=f"arn:aws:iam::{ACCOUNT}:role/{{name}}", attributes={"RoleId": "AROA{name}"}
    ),
    "AWS::KMS::Key": IdentityRule(arn=_arn("kms", "key/{name}"), attributes={"KeyId": "{name}"}),
    "AWS::Lambda::Alias": IdentityRule("Name", ref="{function}:{name}", attributes={"AliasArn": "{function}:{name}"}),
    "AWS::Lambda::Function": IdentityRule("FunctionName", arn=_arn("lambda", "function:{name}")),
    "AWS::Lambda::LayerVersion": IdentityRule(
        "LayerName",
        ref=_arn("lambda", "layer:{name}:1"),
        attributes={"LayerVersionArn": _arn("lambda", "layer:{name}:1")},
    ),
    "AWS::Lambda::Version": IdentityRule(
        ref="{function}:{logical_id}", attributes={"Version": "{logical_id}", "FunctionArn": "{function}:{logical_id}"}
    ),
    "AWS::Logs::LogGroup": IdentityRule("LogGroupName", arn=_arn("logs", "log-group:{name}:*")),
    "AWS::S3::Bucket": IdentityRule("BucketName", arn="arn:aws:s3:::{name}"),
    "AWS::SNS::Topic": IdentityRule(
        "TopicName", ref=_arn("sns", "{name}"), attributes={"TopicArn": _arn("sns", "{name}"), "TopicName": "{name}"}
    ),
    "AWS::SQS::Queue": IdentityRule(
        "QueueName",
        ref=f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}",
        arn=_arn("sqs", "{name}"),
        attributes={
            "QueueName": "{name}",
            "QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{{name}}",
        },
    ),
    "AWS::SSM::Parameter": IdentityRule(
        "Name", arn=_arn("ssm", "parameter/{relative}"), attributes={"Type": "{Type}", "Value": "{Value}"}
    ),
    "AWS::Scheduler::Schedule": IdentityRule("Name", arn=_arn("scheduler", "schedule/{GroupName}/{name}")),
    "AWS::Scheduler::ScheduleGroup": IdentityRule("Name", arn=_arn("scheduler", "schedule-group/{name}")),
    "AWS::SecretsManager::Secret": IdentityRule(
        "Name", ref=_arn("secretsmanager", "secret:{name}-AbCdEf"), attributes={"Id": "{name}"}
    ),
    "AWS::WAFv2::WebACL": IdentityRule("Name", arn=_arn("wafv2", "regional/webacl/{name}/1")),
}
"""A type that is not here has its generated name as `Ref`, and no attributes."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The name of a resource, and what references to it return."""

    name: str
    ref: str
    attributes: Mapping[str, str]


def identity_of(type: str, properties: Mapping[str, Any], stack: str, logical_id: str) -> Identity:
    """The identity of a resource whose `properties` are resolved."""
    rule = _RULES.get(type, IdentityRule())
    name = str(properties.get(rule.named_by) or _generated(stack, logical_id))
    relative = name.removeprefix("/")
    known = {
        **properties,
        "name": name,
        "relative": relative,
        "logical_id": logical_id,  # a new version has another one, and AWS gives it its number
        "function": function_arn(str(properties.get("FunctionName", ""))),
    }
    attributes = {**({"Arn": rule.arn} if rule.arn else {}), **rule.attributes}
    if type == "AWS::DynamoDB::Table" and "StreamSpecification" not in properties:
        del attributes["StreamArn"]
    filled = {each: pattern.format_map(_Properties(known)) for each, pattern in attributes.items()}
    return Identity(name, rule.ref.format_map(_Properties(known)), filled)


class _Properties(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return ""


def function_arn(name: str) -> str:
    """ARN of the Lambda function, version or alias that a property names in any of the forms that AWS accepts."""
    return name if name.startswith("arn:") else _arn("lambda", f"function:{name}")


def function_name(given: str) -> str:
    """Name of the function that an ARN or a name, with or without an alias, means."""
    return function_arn(given).removeprefix(function_arn("")).partition(":")[0]


def _generated(stack: str, logical_id: str) -> str:
    suffix = hashlib.sha256(f"{stack}/{logical_id}".encode()).hexdigest()[:12]
    return f"{stack}-{logical_id}"[:50] + f"-{suffix}"
