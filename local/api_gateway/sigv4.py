"""IAM authorization of operators' routes: the signature that AWS's own clients make of a request.

It is made again with botocore's signer, over what the caller says was signed, and compared.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from callmissed.clock import SECOND, Clock, Micros, system_clock
from callmissed.errors import ApiError
from callmissed.web.unknown_route import unknown_route
from local.api_gateway.events import HttpRequest
from local.aws.account import ACCOUNT, OPERATOR_ACCESS_KEY, REGION

OPERATOR_ARN = f"arn:aws:iam::{ACCOUNT}:user/operator"
SERVICE = "execute-api"
MAX_SKEW_SECONDS = 300

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key>[^/,\s]+)/(?P<scope>[^,\s]+), ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_NEEDED = {"host", "x-amz-date"}
_BODY_HASH = "x-amz-content-sha256"


def verifier(secret: str, clock: Clock = system_clock) -> Callable[[HttpRequest], str]:
    """A function that returns the ARN of the operator who signed a request with `secret`.

    It raises ApiError: 404 for a request without a signature, as API Gateway does, 403 for one that is wrong.
    """
    credentials = Credentials(OPERATOR_ACCESS_KEY, secret)
    return lambda request: _verified(request, credentials, clock())


def _verified(request: HttpRequest, credentials: Credentials, now: Micros) -> str:
    headers = _by_name(request)
    if "authorization" not in headers:
        raise unknown_route(request.method, request.path, ())
    given = _HEADER.fullmatch(headers["authorization"])
    if not given:
        raise ApiError(403, "invalid_request_error", "The request was refused.")
    names = set(given["headers"].split(";"))
    timestamp = headers.get("x-amz-date", "")
    if not names >= _NEEDED or not names <= headers.keys() or not _is_recent(timestamp, now):
        raise _invalid()
    if given["access_key"] != credentials.access_key or not _is_of_body(headers, names, request.body):
        raise _invalid()
    signer = SigV4Auth(credentials, SERVICE, REGION)
    signed = AWSRequest(request.method, _url(request, headers["host"]), {name: headers[name] for name in names})
    signed.data = request.body
    signed.context["timestamp"] = timestamp
    if given["scope"] != signer.credential_scope(signed):
        raise _invalid()
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    if not hmac.compare_digest(signer.signature(text, signed), given["signature"]):
        raise _invalid()
    return OPERATOR_ARN


def _by_name(request: HttpRequest) -> dict[str, str]:
    """The headers as a signature has them: of a repeated one all values."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        name = name.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _is_recent(timestamp: str, now: Micros) -> bool:
    try:
        moment = datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(moment.timestamp() - now / SECOND) <= MAX_SKEW_SECONDS


def _is_of_body(headers: dict[str, str], names: set[str], body: bytes) -> bool:
    """Whether the hash that was signed is the body's; without such a header the signer takes the body's own."""
    return _BODY_HASH not in names or headers[_BODY_HASH] == hashlib.sha256(body).hexdigest()


def _url(request: HttpRequest, host: str) -> str:
    return f"https://{host}{request.path}" + (f"?{request.query}" if request.query else "")


def _invalid() -> ApiError:
    return ApiError(403, "permission_denied", "The signature is not valid.")
