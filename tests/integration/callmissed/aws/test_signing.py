"""The client signs as botocore does: same request, same moment, same credentials, same signature."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.aws.signing import DailyKeySigner

MOMENTS = [
    datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC),
    datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC),
]
ENDPOINTS = [None, "http://127.0.0.1:8000", "https://dynamodb.example.com:8443/"]
PAYLOAD = json.dumps({"TableName": "t", "Key": {"id": {"S": "é"}}}).encode()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets botocore's clock and ours."""

    def set_clocks(moment: datetime) -> None:
        monkeypatch.setattr(auth, "get_current_datetime", lambda remove_tzinfo=True: moment)
        monkeypatch.setattr(time, "time_ns", lambda: int(moment.timestamp()) * 10**9)

    return set_clocks


def by_botocore(credentials: Any, url: str, region: str) -> dict[str, str]:
    """Headers of the same request, signed by botocore itself."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.GetItem"}
    request = AWSRequest(method="POST", url=url, data=PAYLOAD, headers=headers)
    auth.SigV4Auth(credentials, "dynamodb", region).add_auth(request)
    return dict(request.headers.items())


MODEL_URLS = [
    "https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-v1%3A0/converse",
    "http://127.0.0.1:8000/lab/model/arn%3Aaws%3Abedrock%3A%3A%3Ainference-profile%2Feu.x/converse-stream",
]


@pytest.mark.parametrize("url", MODEL_URLS)
@pytest.mark.parametrize("token", [None, "session/token=="])
def test_requests_of_another_service_are_signed_as_botocore_does(at: Any, url: str, token: str | None) -> None:
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    headers = {"Content-Type": "application/json", "X-Lab": " yes "}
    at(MOMENTS[0])
    request = AWSRequest(method="POST", url=url, data=PAYLOAD, headers=headers)
    auth.SigV4Auth(credentials, "bedrock", "eu-west-1").add_auth(request)
    signer = DailyKeySigner(credentials, "eu-west-1", url, "bedrock")

    signed = signer.signed_headers("POST", "/" + url.split("/", 3)[3], headers, PAYLOAD)

    assert headers | signed == dict(request.headers.items())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("token", [None, "session/token=="])
def test_signatures_are_botocores_own(at: Any, endpoint: str | None, token: str | None) -> None:
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    client = DynamoDB("ap-south-1", endpoint, credentials=credentials)
    url = endpoint or "https://dynamodb.ap-south-1.amazonaws.com/"
    for moment in MOMENTS:
        at(moment)
        assert client._signed_headers("GetItem", PAYLOAD) == by_botocore(credentials, url, "ap-south-1")


def test_the_key_is_derived_once_a_day(at: Any) -> None:
    client = DynamoDB("ap-south-1", credentials=Credentials("AKIDEXAMPLE", "secret"))
    derived: list[Any] = []
    for moment in MOMENTS:
        at(moment)
        client._signed_headers("GetItem", PAYLOAD)
        assert client._signer is not None
        derived.append(client._signer._derived)
    first, second, third, fourth = derived
    assert second is third
    assert first != second
    assert first == fourth


class Rotating(Credentials):
    """Credentials that are replaced every time they are looked at, as refreshable ones may be at any time."""

    def __init__(self) -> None:
        object.__setattr__(self, "count", 0)

    def __getattribute__(self, name: str) -> Any:
        if name not in ("access_key", "secret_key", "token"):
            return super().__getattribute__(name)
        return getattr(self.get_frozen_credentials(), name)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        count: int = object.__getattribute__(self, "count") + 1
        object.__setattr__(self, "count", count)
        return generation(count)


def generation(number: int | str) -> ReadOnlyCredentials:
    """One consistent set of credentials."""
    return ReadOnlyCredentials(f"id-{number}", f"secret-{number}", f"token-{number}", "")


def test_one_signature_uses_one_generation_of_credentials(at: Any) -> None:
    credentials = Rotating()
    client = DynamoDB("ap-south-1", "http://127.0.0.1:8000/", credentials=credentials)
    at(MOMENTS[0])
    for _ in range(3):
        signed = client._signed_headers("GetItem", PAYLOAD)
        number = signed["X-Amz-Security-Token"].partition("-")[2]
        assert signed == by_botocore(generation(number), "http://127.0.0.1:8000/", "ap-south-1")


@pytest.mark.parametrize(
    "error",
    [
        CredentialRetrievalError(provider="container-role", error_msg="timed out"),
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ],
)
async def test_credentials_that_cannot_be_fetched_are_no_doubt(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Credentials) -> ReadOnlyCredentials:
        raise error

    credentials = Credentials("id", "secret")
    monkeypatch.setattr(Credentials, "get_frozen_credentials", fail)
    client = DynamoDB("ap-south-1", "http://127.0.0.1:8000/", credentials=credentials, attempts=2)
    with pytest.raises(Unavailable, match="credentials") as caught:
        await client.call("GetItem", {"TableName": "t", "Key": {"id": {"S": "one"}}})
    assert not caught.value.indeterminate
