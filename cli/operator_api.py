"""Changes by the routes of operators, which the caller's AWS credentials sign."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session
from yarl import URL

from callmissed.settings import CoreSettings
from cli.errors import CommandError

_PATH = "/api/v1/admin"
_SERVICE = "execute-api"
_OUTPUT = "BaseUrl"
_SECONDS = 35
_DENIALS = (None, "", "permission_denied")
"""Codes of API Gateway's own 403, which has no code where a policy of IAM denies."""
_MISSING_RIGHT = "Your AWS credentials need execute-api:Invoke on the routes of this stage below /api/v1/admin."


@dataclass(frozen=True, slots=True)
class OperatorApi:
    """The routes of operators of the stage at `base_url`. `credentials` are used in place of those that boto3 finds."""

    base_url: str
    region: str
    credentials: Credentials | None = None

    async def call(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises CommandError with the API's reason, NoCredentialsError."""
        url, content = f"{self.base_url.rstrip('/')}{_PATH}{path}", json.dumps(body).encode()
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, data=content)
        credentials = self.credentials or get_session().get_credentials()
        if credentials is None:
            raise NoCredentialsError
        SigV4Auth(credentials, _SERVICE, self.region).add_auth(request)
        headers, timeout = dict(request.headers.items()), aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, URL(url, encoded=True), data=content, headers=headers) as response,
            ):
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise CommandError(f"The API at {self.base_url} does not answer: {why}.") from error


def deployed_url(settings: CoreSettings) -> str:
    """The URL of a deployed stage, which its stack says. Raises botocore's errors, CommandError."""
    cloudformation = cast("Any", boto3).client("cloudformation", region_name=settings.region)
    stack = f"callmissed-{settings.stage}-api"
    (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    for output in described.get("Outputs", ()):
        if output["OutputKey"] == _OUTPUT:
            return output["OutputValue"]
    raise CommandError(f"The stack {stack} has no output {_OUTPUT}: is its deployment complete?")


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(body)
        if status < 400:
            return answer
        error: Mapping[str, Any] = answer["error"]
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"The API's answer can't be read (HTTP {status}).") from None
    message = " ".join([str(error.get("message") or f"HTTP {status}."), *map(_detail, error.get("details") or ())])
    denied = status == 403 and error.get("code") in _DENIALS
    raise CommandError(f"{message} {_MISSING_RIGHT}" if denied else message)


def _detail(problem: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}."
