"""Resources with names of their own, and what CloudFormation can't change about them.

CloudFormation replaces a resource by making the new one first, and a name is taken until the old one is gone. So a
change that replaces a named resource fails in every stage that has it. `named_resources.json` beside the tests has what
stages have: each name with its logical id and the properties that can't change. After an addition or a removal, run
`python -m tests.support.named_resources`. A change of an entry is a migration: give the new resource another name.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.declarations import PRODUCT
from tests.support.assembly import EVERY_OPTION, Assembly, Resource, synthesised

RECORD = Path(__file__).parent.parent / "infra" / "named_resources.json"
_NAMED_BY = {
    "AWS::ApiGateway::DomainName": "DomainName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::Lambda::EventSourceMapping": "EventSourceArn",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::WAFv2::WebACL": "Name",
}
"""The property by which a resource is one of its kind. A queue or a stream calls a function once."""

Record = Mapping[str, Mapping[str, Any]]


def named_resources(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """By type and name: the logical id, and the properties whose change replaces the resource."""
    found: dict[str, dict[str, Any]] = {}
    for stack, template in assembly.templates.items():
        for logical_id, resource in template["Resources"].items():
            for name in _names(assembly, stack, resource):
                key = f"{resource['Type']} {name}"
                if key in found:
                    raise ValueError(f"the name is used twice: {key}")
                found[key] = {"id": f"{stack}/{logical_id}", **_fixed(resource)}
    return found


def unnamed_types(assembly: Assembly) -> set[str]:
    """Types of which a property that can't change is a name, and of which nobody has said that they are named."""
    resources = [resource for template in assembly.templates.values() for resource in template["Resources"].values()]
    return {
        resource["Type"]
        for resource in resources
        if resource["Type"] not in _NAMED_BY
        and any(name.endswith("Name") and isinstance(value, str) for name, value in _fixed(resource).items())
    }


def replaced(record: Record, wanted: Record) -> list[str]:
    """Names that a deployment of `wanted` would have to give to a second resource while the first one has them."""
    return [name for name in record.keys() & wanted.keys() if record[name] != wanted[name]]


def _names(assembly: Assembly, stack: str, resource: Resource) -> Iterator[str]:
    named_by = _NAMED_BY.get(resource["Type"])
    if named_by:
        yield assembly.text(stack, resource["Properties"][named_by])


def _fixed(resource: Resource) -> dict[str, Any]:
    """Properties whose change replaces the resource, as the schemas of cfn-lint have them."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # reads thousands of files

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
    fixed = [*(schema.get("createOnlyProperties") or []), *(schema.get("conditionalCreateOnlyProperties") or [])]
    names = {pointer.split("/")[2] for pointer in fixed}
    return {name: value for name, value in sorted(resource.get("Properties", {}).items()) if name in names}


def main() -> None:
    """Write down what a stage has now."""
    with TemporaryDirectory() as folder:
        found = named_resources(synthesised(Path(folder), PRODUCT, **EVERY_OPTION))
    RECORD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
