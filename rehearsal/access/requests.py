"""IAM's actions and resources of a request to an AWS service, read from the request itself.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from local.aws.account import ACCOUNT, REGION
from rehearsal.access.policies import AccessRequest
from rehearsal.errors import UnsupportedError

_WRITES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_OBJECT_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_BATCH = "Batch"


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """An HTTP request that was signed for `service`; `path` is percent-encoded, `target` is `X-Amz-Target`."""

    service: str
    method: str
    path: str
    target: str
    body: bytes

    @property
    def operation(self) -> str:
        """Name of the operation in a JSON protocol."""
        return self.target.rpartition(".")[2]

    @property
    def given(self) -> Mapping[str, Any]:
        """The parameters of a JSON protocol."""
        return json.loads(self.body or b"{}")


def access_requests(request: ServiceRequest) -> list[AccessRequest]:
    """What IAM must allow, all of it, for `request`. Raises UnsupportedError for one that has no rule here."""
    reader = _READERS.get(request.service)
    found = list(reader(request)) if reader else []
    if not found:
        raise UnsupportedError(f"no rule for {request.service} {request.target or request.method} {request.path}")
    return found


def _dynamodb(request: ServiceRequest) -> Iterator[AccessRequest]:
    given, action = request.given, f"dynamodb:{request.operation}"
    if "RequestItems" in given:
        yield from (AccessRequest(action, _table(name)) for name in given["RequestItems"])
    elif "TransactItems" in given:
        for part in given["TransactItems"]:
            for kind, operation in part.items():
                yield AccessRequest(f"dynamodb:{_WRITES[kind]}", _table(operation["TableName"]))
    elif "TableName" in given:
        index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield AccessRequest(action, _table(given["TableName"]) + index)


def _table(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _sqs(request: ServiceRequest) -> Iterator[AccessRequest]:
    account, _, name = request.given["QueueUrl"].rpartition("/")
    action = request.operation.removesuffix(_BATCH)
    yield AccessRequest(f"sqs:{action}", f"arn:aws:sqs:{REGION}:{account.rpartition('/')[2]}:{name}")


def _events(request: ServiceRequest) -> Iterator[AccessRequest]:
    for entry in request.given["Entries"]:
        name = entry.get("EventBusName", "default")
        arn = name if name.startswith("arn:") else f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}"
        yield AccessRequest(f"events:{request.operation}", arn)


def _secrets(request: ServiceRequest) -> Iterator[AccessRequest]:
    secret = request.given["SecretId"]
    arn = secret if secret.startswith("arn:") else f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret}-AbCdEf"
    yield AccessRequest(f"secretsmanager:{request.operation}", arn)


def _parameters(request: ServiceRequest) -> Iterator[AccessRequest]:
    names = request.given.get("Names") or [request.given["Name"]]
    for name in names:
        yield AccessRequest(f"ssm:{request.operation}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name.lstrip('/')}")


def _objects(request: ServiceRequest) -> Iterator[AccessRequest]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    if key and request.method in _OBJECT_ACTIONS:
        yield AccessRequest(f"s3:{_OBJECT_ACTIONS[request.method]}", f"arn:aws:s3:::{bucket}/{key}")
    elif not key and request.method in ("GET", "HEAD"):
        yield AccessRequest("s3:ListBucket", f"arn:aws:s3:::{bucket}")


_READERS: Mapping[str, Callable[[ServiceRequest], Iterator[AccessRequest]]] = {
    "dynamodb": _dynamodb,
    "events": _events,
    "s3": _objects,
    "secretsmanager": _secrets,
    "sqs": _sqs,
    "ssm": _parameters,
}
