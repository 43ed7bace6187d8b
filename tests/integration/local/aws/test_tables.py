"""The platform's tables on DynamoDB Local."""

from callmissed.platform.tables import TABLES, WALLETS, physical_name
from local.aws.tables import StageTables, create_tables, dynamodb_client


def test_a_stage_has_every_table(all_tables: StageTables) -> None:
    client = dynamodb_client(all_tables.endpoint)
    for table in TABLES:
        found = client.describe_table(TableName=physical_name(all_tables.stage, table))["Table"]
        assert found.get("TableStatus") == "ACTIVE"


def test_creating_tables_again_changes_nothing(all_tables: StageTables) -> None:
    client = dynamodb_client(all_tables.endpoint)
    wallets = physical_name(all_tables.stage, WALLETS)
    client.put_item(TableName=wallets, Item={"id": {"S": "kept"}})
    create_tables(all_tables)
    assert client.scan(TableName=wallets)["Count"] == 1
