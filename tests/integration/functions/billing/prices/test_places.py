"""Where a stage has its providers file: a parameter, an object, or none."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

from local.aws.tables import StageTables
from tests.support.billing.price_importer import DEARER, LAB, PriceImporter
from tests.support.faults import FaultyDynamoDB
from tests.support.sign_in import SettableClock, settings_of
from tests.support.whole_product import WholeProduct

PARAMETER, OBJECT = "/callmissed/lab/providers", "s3://lab-config/providers.toml"


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS as moto plays it, with the parameter and the object."""
    with mock_aws():
        client("ssm").put_parameter(Name=PARAMETER, Value="# nothing yet\n", Type="String", Tier="Intelligent-Tiering")
        client("s3").create_bucket(Bucket="lab-config")
        client("s3").put_object(Bucket="lab-config", Key="providers.toml", Body=b"# nothing yet\n")
        yield


def client(service: str) -> Any:
    return boto3.client(service)  # pyright: ignore


def parameter() -> str:
    return client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]


@pytest_asyncio.fixture
async def importer(
    request: pytest.FixtureRequest, aws: None, tables: StageTables, dynamodb: FaultyDynamoDB, clock: SettableClock
) -> AsyncIterator[PriceImporter]:
    """An operator of a stage whose file is the test's parameter."""
    settings = settings_of(tables, providers_file=getattr(request, "param", f"ssm:{PARAMETER}"))
    product = WholeProduct(settings, clock, dynamodb=dynamodb)
    yield PriceImporter(product, dynamodb, Path(), clock)
    await product.close()


async def test_parameter_is_replaced(importer: PriceImporter) -> None:
    assert (await importer.imported(LAB))["imported"] is True
    assert parameter() == LAB.strip() + "\n"
    assert (await importer.imported(DEARER))["imported"] is True
    assert (await importer.imported(DEARER))["imported"] is False
    assert parameter() == DEARER.strip() + "\n"


async def test_parameter_holds_8_kilobytes(importer: PriceImporter) -> None:
    size = len(LAB.strip().encode()) + 1
    largest = f"{LAB}#{'é' * ((8_192 - size - 2) // 2)}"

    assert (await importer.imported(largest))["imported"] is True
    [problem] = await importer.refused(largest + "éé")

    assert "a parameter holds 8192" in problem


async def test_parameter_holds_no_reference_to_another(importer: PriceImporter) -> None:
    [problem] = await importer.refused(f"{LAB}# {{{{ssm:/other}}}}")

    assert problem.startswith("has {{ and }}")


async def test_what_aws_says_stays_inside(importer: PriceImporter) -> None:
    version = (await importer.preview(LAB))["version"]
    client("ssm").delete_parameter(Name=PARAMETER)

    for status, answer in (await importer.call("preview", providers=LAB), await importer.import_(LAB, version)):
        assert (status, answer["error"]["code"]) == (503, "service_unavailable")
        assert PARAMETER not in json.dumps(answer)


async def test_import_that_aws_refuses_is_finished_by_a_repeat(
    importer: PriceImporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = (await importer.preview(LAB))["version"]
    send: Any = getattr(BaseClient, "_make_api_call")  # noqa: B009  pyright knows no such name

    def refuse(client: BaseClient, operation: str, request: Any) -> Any:
        if operation == "PutParameter":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": PARAMETER}}, operation)
        return send(client, operation, request)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", refuse)
        status, answer = await importer.import_(LAB, version)
    assert (status, answer["error"]["code"]) == (503, "service_unavailable")
    assert PARAMETER not in json.dumps(answer)

    assert (await importer.import_(LAB, version))[1]["imported"] is True
    assert parameter() == LAB.strip() + "\n"
    assert len(await importer.events()) == 1


@pytest.mark.parametrize("importer", [OBJECT, ""], indirect=True, ids=["object", "none"])
async def test_file_elsewhere_is_previewed_and_not_imported(importer: PriceImporter) -> None:
    preview = await importer.preview(LAB + "# {{}}" + "x" * 9_000)
    assert preview["added"] == 1

    status, answer = await importer.import_(LAB, (await importer.preview(LAB))["version"])

    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert "providers file" in answer["error"]["message"]
    assert await importer.events() == []
    assert client("s3").get_object(Bucket="lab-config", Key="providers.toml")["Body"].read() == b"# nothing yet\n"
