"""The operator's guide knows what there is to operate."""

from infra.config import StageConfig
from infra.constructs.bundling import ROOT
from tests.infra.assembly import Assembly

GUIDE = (ROOT / "docs" / "operations.md").read_text()
NOT_FOR_DEPLOYMENTS = {"stage", "bundle"}


def test_says_what_to_do_on_every_alarm(assembly: Assembly) -> None:
    names = [alarm["AlarmName"] for alarm in assembly.properties("AWS::CloudWatch::Alarm")]
    short = [name.removeprefix(f"{assembly.config.service}-") for name in names]
    assert [name for name in short if f"`{name}`" not in GUIDE] == []


def test_explains_every_setting() -> None:
    settings = StageConfig.model_fields.keys() - NOT_FOR_DEPLOYMENTS
    assert [name for name in settings if f"`{name}`" not in GUIDE] == []


def test_deletes_and_restores_every_table_log_and_secret(assembly: Assembly) -> None:
    tables = {table["TableName"].rpartition("-")[2] for table in assembly.properties("AWS::DynamoDB::Table")}
    logs = {group["LogGroupName"].rpartition("/")[2] for group in assembly.properties("AWS::Logs::LogGroup")}
    secrets = {secret["Name"].rpartition("/")[2] for secret in assembly.properties("AWS::SecretsManager::Secret")}
    tear_down = GUIDE[GUIDE.index("## Tear down") :]
    assert [name for name in tables | logs | secrets if name not in tear_down] == []
