"""Secrets that are rotated while a process runs."""

import json
from dataclasses import dataclass, field

import pytest

from callmissed.aws import secrets
from callmissed.aws.secrets import RecentEnvironment, payment_environment
from callmissed.settings import CoreSettings

NAME = "callmissed/test/payment-secrets"
KEY = "CASHFREE_SECRET_KEY"


@dataclass
class Secret:
    """A secret's content in Secrets Manager, and how often it was read."""

    value: str = "old"
    reads: list[str] = field(default_factory=list[str])
    is_down: bool = False

    def read(self, name: str, region: str) -> str:
        self.reads.append(name)
        if self.is_down:
            raise RuntimeError(f"no answer about {self.value}")
        return json.dumps({KEY: self.value})


@dataclass
class Seconds:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Secret:
    secret = Secret()
    monkeypatch.setattr(secrets, "read_secret", secret.read)
    return secret


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def environment(secret: Secret, seconds: Seconds) -> RecentEnvironment:
    return RecentEnvironment(NAME, "eu-west-1", seconds)


def test_rotated_secret_is_used_after_five_minutes(
    environment: RecentEnvironment, secret: Secret, seconds: Seconds
) -> None:
    assert environment.values()[KEY] == "old"
    secret.value = "new"

    seconds.now += 299
    assert environment.values()[KEY] == "old"
    seconds.now += 1
    assert environment.values()[KEY] == "new"
    assert secret.reads == [NAME, NAME]


def test_newest_content_is_asked_for_once_a_minute(
    environment: RecentEnvironment, secret: Secret, seconds: Seconds
) -> None:
    environment.values()
    secret.value = "new"

    for _ in range(1000):
        assert environment.values(newest=True)[KEY] == "old"
    seconds.now += 60
    assert environment.values(newest=True)[KEY] == "new"
    assert environment.values()[KEY] == "new"
    assert len(secret.reads) == 2


def test_content_stays_in_use_while_it_can_not_be_read(
    environment: RecentEnvironment, secret: Secret, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    environment.values()
    secret.is_down = True
    seconds.now += 300

    assert [environment.values()[KEY] for _ in range(10)] == ["old"] * 10

    assert len(secret.reads) == 2, "it is asked for again later"
    assert [record.getMessage() for record in caplog.records] == ["a secret could not be read anew"]


def test_secret_that_was_never_read_is_no_empty_one(environment: RecentEnvironment, secret: Secret) -> None:
    secret.is_down = True
    with pytest.raises(RuntimeError):
        environment.values()
    secret.is_down = False

    assert environment.values()[KEY] == "old"


def test_process_without_a_secret_has_its_variables(monkeypatch: pytest.MonkeyPatch, secret: Secret) -> None:
    monkeypatch.setenv(KEY, "of this machine")

    assert payment_environment(CoreSettings()).values()[KEY] == "of this machine"
    assert secret.reads == []


def test_stage_has_one_environment_of_payments() -> None:
    settings = CoreSettings(stage="one", payment_secrets_name=NAME)

    assert payment_environment(settings) is payment_environment(settings)
