"""Signature Version 4 for requests with a body and without a query.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. Credentials that the environment doesn't have are
found and renewed by botocore, whose import takes 0.3 s of CPU; its signer, made for every service, takes ten times as
long for the same bytes. Tests check that both signatures are equal.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from botocore.exceptions import CredentialRetrievalError, NoCredentialsError

from callmissed.clock import SECOND, Clock, system_clock
from callmissed.settings import aws_credentials

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

_CONTENT_TYPE = "application/x-amz-json-1.0"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class LastingCredentials:
    """Credentials that never change."""

    access_key: str
    secret_key: str
    token: str | None = None

    def get_frozen_credentials(self) -> "LastingCredentials":
        """The credentials."""
        return self


class DailyKeySigner:
    """Signs requests to a service at `url` with the current credentials: the given ones, or those that botocore finds.

    The signing key is derived once a day. Raises NoCredentialsError when there are no credentials.
    """

    def __init__(
        self,
        credentials: "Credentials | None",
        region: str,
        url: str,
        service: str = "dynamodb",
        clock: Clock = system_clock,
    ) -> None:
        source = credentials or _find_credentials()
        if source is None:
            raise NoCredentialsError
        self._source = source
        self._host = _host(url)
        self._scope = (region, service, "aws4_request")
        self._clock = clock
        self._derived: tuple[tuple[str | None, str], bytes] | None = None

    def headers(self, operation: str, payload: bytes) -> dict[str, str]:
        """Headers of a signed request for an `operation` of DynamoDB. Raises as `signed_headers` does."""
        given = {"Content-Type": _CONTENT_TYPE, "X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        return given | self.signed_headers("POST", "/", given, payload)

    def signed_headers(self, method: str, path: str, given: Mapping[str, str], payload: bytes) -> dict[str, str]:
        """Headers to add to those `given`, which are signed too. `path` is percent-encoded, as it is sent.

        Raises botocore's errors when credentials can't be fetched.
        """
        credentials = self._current()
        stamp = datetime.fromtimestamp(self._clock() // SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
        token = {"X-Amz-Security-Token": credentials.token} if credentials.token else {}
        added = {"X-Amz-Date": stamp, **token}
        signed = sorted([("host", self._host), *((n.lower(), v.strip()) for n, v in [*given.items(), *added.items()])])
        names = ";".join(name for name, _ in signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed)
        body = hashlib.sha256(payload).hexdigest()
        canonical = f"{method}\n{quote(path, safe='/~')}\n\n{lines}\n{names}\n{body}"
        scope = "/".join((stamp[:8], *self._scope))
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(credentials.secret_key, stamp[:8]), text.encode(), "sha256").hex()
        added["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return added

    def _current(self) -> "LastingCredentials | ReadOnlyCredentials":
        """The credentials, read once for a signature: they may be renewed at any time."""
        try:
            return self._source.get_frozen_credentials()
        except RuntimeError as error:  # of botocore, when what it gets is as old as what it has
            raise CredentialRetrievalError(provider="renewal", error_msg=str(error)) from error

    def _key(self, secret: str | None, day: str) -> bytes:
        if self._derived is None or self._derived[0] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, *self._scope):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = ((secret, day), key)
        return self._derived[1]


def _find_credentials() -> "Credentials | LastingCredentials | None":
    """The environment's credentials, which botocore would look up first, or those that botocore finds."""
    if lasting := aws_credentials():
        return LastingCredentials(*lasting)
    from botocore.session import get_session  # no deployed function without SnapStart reaches this line

    return get_session().get_credentials()


def _host(url: str) -> str:
    """The `Host` header of requests to `url`: without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
