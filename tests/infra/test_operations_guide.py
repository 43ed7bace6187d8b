"""The operator's guide knows what there is to operate."""

import re

from callmissed.platform.tables import TABLES
from infra.bundling.assets import ROOT
from infra.config import StageConfig
from tests.support.assembly import Assembly

GUIDE = (ROOT / "docs" / "operations.md").read_text()
NOT_FOR_DEPLOYMENTS = {"stage", "bundle"}


def test_guide_says_what_to_do_on_every_alarm(assembly: Assembly) -> None:
    names = [alarm["AlarmName"] for alarm in assembly.properties("AWS::CloudWatch::Alarm")]
    short = [name.removeprefix(f"{assembly.config.service}-") for name in names]
    assert [name for name in short if f"`{name}`" not in GUIDE] == []


def test_guide_explains_every_setting() -> None:
    settings = StageConfig.model_fields.keys() - NOT_FOR_DEPLOYMENTS
    assert [name for name in settings if f"`{name}`" not in GUIDE] == []


def test_guide_deletes_and_restores_every_table_log_and_secret(assembly: Assembly) -> None:
    tables = {table["TableName"].rpartition("-")[2] for table in assembly.properties("AWS::DynamoDB::Table")}
    logs = {group["LogGroupName"].rpartition("/")[2] for group in assembly.properties("AWS::Logs::LogGroup")}
    tear_down = GUIDE[GUIDE.index("## Tear down") :]
    assert [name for name in tables | logs if name not in tear_down] == []
    [prefix] = re.findall(r"list-secrets --filters Key=name,Values=(\S+)", tear_down)
    secrets = [secret["Name"] for secret in assembly.properties("AWS::SecretsManager::Secret")]
    assert [name for name in secrets if not name.replace("/test/", "/prod/").startswith(prefix)] == []
    [bucket] = [assembly.text("data", bucket["BucketName"]) for bucket in assembly.properties("AWS::S3::Bucket")]
    assert bucket.replace("-test-", "-prod-").split("<")[0] in tear_down


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
