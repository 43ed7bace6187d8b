"""A stand-in for DynamoDB's backups, which DynamoDB Local has none of: items are copied by the engine itself.

As in AWS, a restored table lacks stream, expiry and protection, and can't be used before it is there.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from local.aws.account import ACCOUNT, REGION

_CREATED_WITH = ("AttributeDefinitions", "KeySchema")
_INDEX = ("IndexName", "KeySchema", "Projection")
_ON_DEMAND = "PAY_PER_REQUEST"
_HARMLESS = ("describe_table", "wait")
Item = dict[str, Any]
Operation = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A table's form and items at `moment`."""

    form: Mapping[str, Any]
    items: Sequence[Item]
    moment: datetime


@dataclass
class TableBackups:
    """Backups of the tables of `dynamodb`, a boto3 client. `restoring` are tables that are not there yet."""

    dynamodb: Any
    restoring: set[str] = field(default_factory=set[str])
    _recorded: dict[str, list[_Copy]] = field(default_factory=dict[str, list[_Copy]])
    _backups: dict[str, _Copy] = field(default_factory=dict[str, _Copy])
    _restored: set[str] = field(default_factory=set[str])
    _recovering: set[str] = field(default_factory=set[str])

    def record(self, tables: Iterable[str], moment: datetime) -> None:
        """Keep what the tables hold, as of `moment`: point-in-time recovery knows the recorded moments alone."""
        for table in tables:
            self._recorded.setdefault(table, []).append(self._copy(table, moment))

    def operation(self, name: str) -> Operation | None:
        """The operation, in botocore's spelling, that the stand-in does instead of the engine."""
        return {
            "create_backup": self._create_backup,
            "restore_table_from_backup": self._restore_from_backup,
            "restore_table_to_point_in_time": self._restore_to_moment,
            "update_continuous_backups": self._switch_recovery,
        }.get(name)

    def admit(self, name: str, table: str) -> None:
        """Raise ClientError for an operation on a table that is being restored. Waiting for it ends the restore."""
        if table in self.restoring and name not in _HARMLESS:
            raise _error("ResourceInUseException", name, f"the table {table} is being restored")
        if name == "wait":
            self.restoring.discard(table)

    def was_restored(self, table: str) -> bool:
        """Whether a table was made by a restore."""
        return table in self._restored

    def recovers(self, table: str) -> bool:
        """Whether point-in-time recovery was switched on for a table since it was restored."""
        return table in self._recovering

    def _create_backup(self, *, TableName: str, BackupName: str) -> Mapping[str, Any]:  # noqa: N803  DynamoDB's names
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TableName}/backup/{len(self._backups)}-{BackupName}"
        self._backups[arn] = self._copy(TableName, datetime.max)
        return {"BackupDetails": {"BackupArn": arn, "BackupStatus": "CREATING"}}

    def _restore_from_backup(self, *, TargetTableName: str, BackupArn: str) -> Mapping[str, Any]:  # noqa: N803  as above
        if BackupArn not in self._backups:
            raise _error("BackupNotFoundException", "RestoreTableFromBackup", BackupArn)
        return self._restore(TargetTableName, self._backups[BackupArn])

    def _restore_to_moment(
        self,
        *,
        SourceTableName: str,  # noqa: N803  DynamoDB's name
        TargetTableName: str,  # noqa: N803  DynamoDB's name
        RestoreDateTime: str,  # noqa: N803  DynamoDB's name
    ) -> Mapping[str, Any]:
        moment = datetime.fromisoformat(RestoreDateTime)
        known = [copy for copy in self._recorded.get(SourceTableName, []) if copy.moment <= moment]
        if not known:
            raise _error("InvalidRestoreTimeException", "RestoreTableToPointInTime", RestoreDateTime)
        return self._restore(TargetTableName, known[-1])

    def _switch_recovery(
        self,
        *,
        TableName: str,  # noqa: N803  DynamoDB's name
        PointInTimeRecoverySpecification: Mapping[str, bool],  # noqa: N803  DynamoDB's name
    ) -> Mapping[str, Any]:
        enabled = PointInTimeRecoverySpecification["PointInTimeRecoveryEnabled"]
        (self._recovering.add if enabled else self._recovering.discard)(TableName)
        return {}

    def _copy(self, table: str, moment: datetime) -> _Copy:
        form = self.dynamodb.describe_table(TableName=table)["Table"]
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return _Copy(form, [item for page in pages for item in page["Items"]], moment)

    def _restore(self, table: str, copy: _Copy) -> Mapping[str, Any]:
        form = {name: copy.form[name] for name in _CREATED_WITH}
        if indexes := copy.form.get("GlobalSecondaryIndexes"):
            form["GlobalSecondaryIndexes"] = [{name: index[name] for name in _INDEX} for index in indexes]
        made = self.dynamodb.create_table(TableName=table, BillingMode=_ON_DEMAND, **form)
        for item in copy.items:
            self.dynamodb.put_item(TableName=table, Item=item)
        self.restoring.add(table)
        self._restored.add(table)
        self._recovering.discard(table)
        return made


def _error(code: str, operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
