"""No change replaces a resource that has a name: CloudFormation could not deploy it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from callmissed.platform.tables import KEYS
from infra.declarations import PRODUCT
from tests.support.assembly import Assembly, synthesised
from tests.support.named_resources import RECORD, named_resources, replaced, unnamed_types

STAGE = json.loads(RECORD.read_text())
KEYS_TABLE = "AWS::DynamoDB::Table callmissed-test-keys"


def test_no_named_resource_is_replaced(assembly: Assembly) -> None:
    assert replaced(STAGE, named_resources(assembly)) == [], "a migration: give the new resource another name"


def test_every_named_resource_is_on_record(assembly: Assembly) -> None:
    assert named_resources(assembly).keys() == STAGE.keys(), "run python -m tests.support.named_resources"


def test_every_type_with_a_name_is_known(assembly: Assembly) -> None:
    assert unnamed_types(assembly) == {"AWS::Lambda::Alias", "AWS::ApiGateway::Stage"}, "named within their parents"


def test_replacement_is_refused(tmp_path: Path) -> None:
    rekeyed = [replace(table, partition_key="hash") if table is KEYS else table for table in PRODUCT.tables]
    wanted = named_resources(synthesised(tmp_path, replace(PRODUCT, tables=rekeyed)))
    assert replaced(STAGE, wanted) == [KEYS_TABLE]


@pytest.mark.parametrize("change", [{"id": "data/Renamed"}, {"KeySchema": []}])
def test_other_logical_id_or_fixed_property_is_a_replacement(change: dict[str, object]) -> None:
    assert replaced(STAGE, {KEYS_TABLE: STAGE[KEYS_TABLE] | change}) == [KEYS_TABLE]
