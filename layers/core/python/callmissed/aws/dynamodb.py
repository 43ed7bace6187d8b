"""A narrow asynchronous DynamoDB client for the hot path.

It uses aiohttp for HTTP and botocore for credentials; a request takes a third of boto3's CPU
(docs/decisions/0002-dynamodb-client.md). Tests compare it with boto3 call by call.

    DynamoError
    ├─ ConditionFailed        the condition did not hold; carries the item as it was, which saves a read
    ├─ TransactionCanceled    a transaction's condition did not hold; carries the reason of each part
    ├─ Unavailable            no usable answer after all tries; `indeterminate` when the write may have happened
    └─ RequestRefused         DynamoDB rejects the request itself: a defect in our code
"""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from callmissed.aws.attributes import Item, from_item
from callmissed.aws.signing import DailyKeySigner
from callmissed.observability import LoggableError, failure_name

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_NOT_APPLIED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_MAY_PASS_LATER = frozenset({"None", "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})
_BACKOFF_SECONDS = 0.025


class DynamoError(Exception):
    """Any failure of a DynamoDB request."""


class ConditionFailed(DynamoError):
    """The condition did not hold. `item` is the item as it was, empty when there was none.

    `indeterminate`: an earlier try of the same request may have been applied, so the item may be as that try left it.
    """

    def __init__(self, item: Item) -> None:
        super().__init__("the condition did not hold")
        self.item = item
        self.indeterminate = False


class TransactionCanceled(DynamoError):
    """A transaction was cancelled; `reasons` has one code a part, `None` for parts that did not fail."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(f"transaction cancelled: {', '.join(reasons)}")
        self.reasons = reasons


class Unavailable(DynamoError, LoggableError):
    """No usable answer. `indeterminate`: the request may have been applied."""

    def __init__(self, why: str, *, indeterminate: bool) -> None:
        super().__init__(why)
        self.indeterminate = indeterminate


class RequestRefused(DynamoError):
    """DynamoDB rejects the request: wrong syntax, unknown table, no permission. Its text may quote the request."""

    def __init__(self, log_code: str, why: str = "") -> None:
        super().__init__(f"{log_code}: {why}" if why else log_code)
        self.log_code = log_code


@dataclass(frozen=True, slots=True)
class Exchange:
    """One try of a request, for observers: capacity units as DynamoDB reports them, so none for a failed try."""

    operation: str
    table: str
    capacity: float


class DynamoDB:
    """Sends single DynamoDB requests with bounded retries. Create it anywhere, use it from one event loop."""

    def __init__(
        self,
        region: str,
        endpoint: str | None = None,
        *,
        attempts: int = 4,
        timeout_seconds: float = 2.0,
        observe: Callable[[Exchange], None] | None = None,
        credentials: "Credentials | None" = None,
    ) -> None:
        self._url = endpoint or f"https://dynamodb.{region}.amazonaws.com/"
        self._region = region
        self._attempts = attempts
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(1.0, timeout_seconds))
        self._observe = observe
        self._credentials = credentials
        self._signer: DailyKeySigner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, operation: str, request: dict[str, Any], *, resend_indeterminate: bool = True, attempts: int | None = None
    ) -> dict[str, Any]:
        """Answer of `operation`, such as `UpdateItem`, to `request` in DynamoDB's own JSON.

        Throttling is retried with jitter. A lost answer is retried only with `resend_indeterminate`: writes that are
        safe to apply twice set it, the others get `Unavailable`, indeterminate if any try was. `attempts` are the
        client's own unless given.
        """
        attempts = attempts or self._attempts
        if self._observe:
            request = request | {"ReturnConsumedCapacity": "TOTAL"}
        payload = json.dumps(request, separators=(",", ":")).encode()
        indeterminate = False
        for attempt in range(1, attempts + 1):
            answer: dict[str, Any] = {}
            try:
                answer = await self.send(operation, payload)
                return answer
            except Unavailable as error:
                error.indeterminate = indeterminate = indeterminate or error.indeterminate
                if attempt == attempts or (error.indeterminate and not resend_indeterminate):
                    raise
            except ConditionFailed as error:
                error.indeterminate = indeterminate
                raise
            finally:
                self._count(operation, request, answer)
            await asyncio.sleep(random.uniform(0, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        """One try of one request. Tests inject faults here."""
        headers = self._signed_headers(operation, payload)
        try:
            async with self._pool().post(self._url, data=payload, headers=headers, allow_redirects=False) as response:
                body = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"{operation}: {failure_name(error)}", indeterminate=False) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{operation}: {failure_name(error)}", indeterminate=True) from error
        if response.status != 200:
            raise _failure(response.status, body)
        answer = _object(body)
        if answer is None:
            raise Unavailable(f"{operation}: a garbled answer", indeterminate=True)
        return answer

    async def close(self) -> None:
        """Drop connections and credentials; the next call makes new ones (a SnapStart snapshot must hold none)."""
        session, self._session, self._signer = self._session, None, None
        if session is not None:
            await session.close()

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=45, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, skip_auto_headers=("User-Agent", "Accept")
            )
        return self._session

    def _signed_headers(self, operation: str, payload: bytes) -> dict[str, str]:
        try:
            self._signer = self._signer or DailyKeySigner(self._credentials, self._region, self._url)
            return self._signer.headers(operation, payload)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"no AWS credentials: {failure_name(error)}", indeterminate=False) from error

    def _count(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if self._observe:
            consumed: Any = answer.get("ConsumedCapacity") or []
            parts = cast("list[dict[str, Any]]", consumed if isinstance(consumed, list) else [consumed])
            units = sum(part.get("CapacityUnits", 0.0) for part in parts)
            self._observe(Exchange(operation, request.get("TableName", ""), units))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else None


def _failure(status: int, body: bytes) -> DynamoError:
    answer = _object(body) or {}
    code = str(answer.get("__type", "")).rpartition("#")[2]
    message = str(answer.get("message") or answer.get("Message") or "")
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(from_item(answer.get("Item", {})))
    if code == "TransactionCanceledException":
        return _cancellation([str(reason.get("Code", "None")) for reason in answer.get("CancellationReasons", [])])
    if code in _NOT_APPLIED or status >= 500:
        return Unavailable(f"{status} {code}", indeterminate=code not in _NOT_APPLIED)
    return RequestRefused(code or str(status), message)


def _cancellation(reasons: list[str]) -> DynamoError:
    if "ConditionalCheckFailed" in reasons:
        return TransactionCanceled(reasons)
    why = f"transaction cancelled: {', '.join(reasons)}"
    return Unavailable(why, indeterminate=False) if _MAY_PASS_LATER.issuperset(reasons) else RequestRefused(why)
