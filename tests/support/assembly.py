"""What a synthesis wrote, as plain data."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.bundling.assets import ROOT
from infra.config import StageConfig
from infra.declarations import Declarations

Resource = dict[str, Any]
_NAMES = ("Name", "QueueName", "TableName")
_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:<AWS::AccountId>:table/{name}",
    "AWS::Events::EventBus": "events:{region}:<AWS::AccountId>:event-bus/{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:<AWS::AccountId>:secret:{name}-??????",
    "AWS::SQS::Queue": "sqs:{region}:<AWS::AccountId>:{name}",
    "AWS::SSM::Parameter": "ssm:{region}:<AWS::AccountId>:parameter{name}",
}
"""ARNs by which a stack may name the resources of another one, behind `arn:<AWS::Partition>:`."""


EVERY_OPTION: Mapping[str, Any] = {
    "bedrock_models": ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "openai.gpt-oss-120b-1:0"),
    "certificate_arn": "arn:aws:acm:ap-south-1:123456789012:certificate/11112222",
    "domain_name": "api.example.com",
    "mail_from": "no-reply@example.com",
    "mail_transport": "ses",
    "reserved_concurrency": {"authorizer": 10},
    "snap_start": True,
}
"""Settings that add resources to a stage."""


@dataclass(frozen=True)
class Assembly:
    """What synthesis wrote: the folder, and each stack's template."""

    folder: Path
    config: StageConfig
    templates: Mapping[str, dict[str, Any]]

    def resources(self, kind: str) -> Iterator[tuple[str, str, Resource]]:
        """Stack, logical id and resource of every `AWS::…` resource of that kind."""
        for stack, template in self.templates.items():
            for logical_id, resource in template["Resources"].items():
                if resource["Type"] == kind:
                    yield stack, logical_id, resource

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Properties of every resource of that kind."""
        return [resource.get("Properties", {}) for _, _, resource in self.resources(kind)]

    def text(self, stack: str, value: Any) -> str:
        """`value` of a template as text, with the physical names of the resources that it refers to.

        An attribute other than the ARN is written behind a dot. An ARN that is built from the name of a resource in
        the templates is that name; an ARN of anything else stays as it is.
        """
        if isinstance(value, str):
            return value
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return self._named(separator.join(self.text(stack, part) for part in parts))
        if "Fn::GetStackOutput" in value:
            return self.text(*self.output(value["Fn::GetStackOutput"]))
        logical_id, attribute = value.get("Fn::GetAtt") or (value["Ref"], "Arn")
        if logical_id.startswith("AWS::"):
            return f"<{logical_id}>"
        name = self._physical_name(self.templates[stack]["Resources"][logical_id]) or logical_id
        return name if attribute == "Arn" else f"{name}.{attribute}"

    def _named(self, text: str) -> str:
        for kind, pattern in _ARNS.items():
            for name in map(self._physical_name, (resource for _, _, resource in self.resources(kind))):
                arn = f"arn:<AWS::Partition>:{pattern.format(region=self.config.region, name=name)}"
                if text == arn or text.startswith(f"{arn}/"):
                    return name + text.removeprefix(arn)
        return text

    def output(self, named: Mapping[str, str]) -> tuple[str, Any]:
        """Stack and value of the output that the argument of a `Fn::GetStackOutput` names."""
        stack = named["StackName"].removeprefix(f"{self.config.service}-")
        return stack, self.templates[stack]["Outputs"][named["OutputName"]]["Value"]

    def _physical_name(self, resource: Resource) -> str:
        names = {key: value for key, value in resource.get("Properties", {}).items() if key in _NAMES}
        return next((value for value in names.values() if isinstance(value, str)), "")


def synthesised(folder: Path, declared: Declarations, **settings: Any) -> Assembly:
    """What a synthesis of `declared` writes into `folder`, without real bundles."""
    from aws_cdk import App  # importing CDK takes seconds, also where no test needs it

    from infra.app import build

    config = StageConfig.model_validate({"stage": "test", "bundle": False, "alarm_email": "ops@example.com"} | settings)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder), context=context)
    stacks = build(app, config, declared)
    app.synth()
    templates = {name: json.loads((folder / f"{name}.template.json").read_text()) for name in stacks}
    return Assembly(folder, config, templates)
