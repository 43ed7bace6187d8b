"""The platform's tables on a local DynamoDB."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callmissed.platform.tables import TABLES, create_table_request
from local.aws.clients import local_client

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class StageTables:
    """The tables of one stage on one DynamoDB `endpoint`."""

    endpoint: str
    stage: str


def create_tables(tables: StageTables) -> None:
    """Create every table of the platform that the stage lacks. Raises botocore's `ClientError`."""
    client = dynamodb_client(tables.endpoint)
    for table in TABLES:
        with suppress(client.exceptions.ResourceInUseException):
            client.create_table(**create_table_request(tables.stage, table))


def dynamodb_client(endpoint: str) -> "DynamoDBClient":
    """A boto3 client for a local `endpoint`, which accepts any credentials."""
    return local_client("dynamodb", endpoint)
