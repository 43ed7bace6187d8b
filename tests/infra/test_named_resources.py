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

WITHIN_PARENTS = {"AWS::Lambda::Alias", "AWS::ApiGateway::Stage"}


def test_no_named_resource_is_replaced(assembly: Assembly) -> None:
    assert replaced(STAGE, named_resources(assembly)) == [], "a migration: give the new resource another name"


def test_no_named_resource_is_replaced_with_every_option(optional_assembly: Assembly) -> None:
    assert replaced(STAGE, named_resources(optional_assembly)) == [], "a migration: give the new resource another name"


def test_every_named_resource_is_on_record(assembly: Assembly, optional_assembly: Assembly) -> None:
    assert named_resources(optional_assembly).keys() == STAGE.keys(), "run python -m tests.support.named_resources"
    assert named_resources(assembly).keys() < STAGE.keys()


def test_every_type_with_a_name_is_known(optional_assembly: Assembly) -> None:
    found = unnamed_types(optional_assembly)
    assert found == WITHIN_PARENTS, "named within their parents"


def test_replacement_is_refused(tmp_path: Path) -> None:
    rekeyed = [replace(table, partition_key="hash") if table is KEYS else table for table in PRODUCT.tables]
    wanted = named_resources(synthesised(tmp_path, replace(PRODUCT, tables=rekeyed)))
    assert replaced(STAGE, wanted) == [KEYS_TABLE]


@pytest.mark.parametrize("change", [{"id": "data/Renamed"}, {"KeySchema": []}])
def test_other_logical_id_or_fixed_property_is_a_replacement(change: dict[str, object]) -> None:
    assert replaced(STAGE, {KEYS_TABLE: STAGE[KEYS_TABLE] | change}) == [KEYS_TABLE]
