"""The operator's guide knows what there is to operate."""

import re

from callmissed.platform.resources import RESOURCES, ResourceKind
from callmissed.platform.tables import TABLES
from infra.bundling.assets import ROOT
from infra.config import StageConfig
from tests.support.assembly import Assembly, Resource

GUIDE = (ROOT / "docs" / "operations.md").read_text()
RETAINING = {"Retain", "RetainExceptOnCreate"}
GOES_WITH_ITS_FUNCTION = "AWS::Lambda::Version"
API_LOG_ROLE = "API Gateway log role"
NOT_FOR_DEPLOYMENTS = {"stage", "bundle"}


def test_guide_says_what_to_do_on_every_alarm(assembly: Assembly) -> None:
    names = [alarm["AlarmName"] for alarm in assembly.properties("AWS::CloudWatch::Alarm")]
    short = [name.removeprefix(f"{assembly.config.service}-") for name in names]
    assert [name for name in short if f"`{name}`" not in GUIDE] == []


def test_guide_explains_every_setting() -> None:
    settings = StageConfig.model_fields.keys() - NOT_FOR_DEPLOYMENTS
    assert [name for name in settings if f"`{name}`" not in GUIDE] == []


def test_guide_names_everything_that_survives_a_tear_down(assembly: Assembly) -> None:
    survivors = {
        (resource["Type"], survivor_name(assembly, stack, resource))
        for stack, template in assembly.templates.items()
        for resource in template["Resources"].values()
        if {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} & RETAINING
        and resource["Type"] != GOES_WITH_ITS_FUNCTION
    }
    assert survivors == deleted_by_the_guide()
    functions = [resource for _, _, resource in assembly.resources("AWS::Lambda::Function")]
    assert not any("DeletionPolicy" in function for function in functions), "their versions would stay too"


def survivor_name(assembly: Assembly, stack: str, resource: Resource) -> str:
    """What the guide calls a resource. Raises KeyError for a type of which the guide knows nothing."""
    named_by = {
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::S3::Bucket": "BucketName",
        "AWS::SecretsManager::Secret": "Name",
        "AWS::ApiGateway::Account": None,
        "AWS::IAM::Role": None,
    }[resource["Type"]]
    text = assembly.text(stack, resource["Properties"][named_by]) if named_by else API_LOG_ROLE
    text = text.replace("<AWS::AccountId>", "123456789012")
    return text.replace("callmissed-test-", "callmissed-prod-").replace("/test/", "/prod/")


def deleted_by_the_guide() -> set[tuple[str, str]]:
    """What the commands under "Delete it for good" delete; the role is only in the table above."""
    tear_down = GUIDE[GUIDE.index("\n## Tear down") :]
    assert f"the account's {API_LOG_ROLE}" in tear_down
    commands = tear_down[tear_down.index("Delete it for good") :]
    [tables] = re.findall(r"for table in ([^;]+);", commands)
    [groups] = re.findall(r"for group in (api-access[^;]+);", commands)
    [prefix] = re.findall(r"list-secrets --filters Key=name,Values=(\S+)", commands)
    buckets = re.findall(r"aws s3 rb --force s3://(\S+)", commands)
    created = [each for each in RESOURCES if not each.from_operator]
    secrets = [each.physical_name("prod") for each in created if each.kind is ResourceKind.SECRET]
    return {
        *(("AWS::DynamoDB::Table", f"callmissed-prod-{table}") for table in tables.replace("\\", "").split()),
        *(("AWS::Logs::LogGroup", f"/callmissed/prod/{group}") for group in groups.replace("\\", "").split()),
        *(("AWS::SecretsManager::Secret", secret) for secret in secrets if secret.startswith(prefix)),
        *(("AWS::S3::Bucket", bucket) for bucket in buckets),
        ("AWS::ApiGateway::Account", API_LOG_ROLE),
        ("AWS::IAM::Role", API_LOG_ROLE),
    }


def test_survivors_that_hold_data_can_be_taken_in_again_by_name(assembly: Assembly) -> None:
    """`--import-existing-resources` needs a name that is written out, and a policy that retains."""
    for kind, name in (("AWS::DynamoDB::Table", "TableName"), ("AWS::Logs::LogGroup", "LogGroupName")):
        for _, _, resource in assembly.resources(kind):
            assert isinstance(resource["Properties"][name], str)
            assert resource["DeletionPolicy"] in RETAINING


def test_guide_gives_restored_streams_and_expiry_back(assembly: Assembly) -> None:
    restore = GUIDE[GUIDE.index("## Restore") : GUIDE.index("## Tear down")]
    with_stream = {table.name for table in TABLES if table.stream}
    with_expiry = {table.name for table in TABLES if table.ttl_attribute}
    assert [name for name in with_stream | with_expiry if f"`{name}`" not in restore] == []


def test_guide_says_what_to_do_with_what_is_in_every_queue(assembly: Assembly) -> None:
    dead_letters = GUIDE[GUIDE.index("## Dead letters") : GUIDE.index("## Restore")]
    queues = [queue["QueueName"] for queue in assembly.properties("AWS::SQS::Queue")]
    short = [name.removeprefix(f"{assembly.config.service}-") for name in queues]
    ends = {name for name in short if name.endswith(("-dead", "-failures")) or name == "undelivered"}
    assert [name for name in ends if f"`{name}`" not in dead_letters] == []
