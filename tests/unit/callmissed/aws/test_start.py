"""Waiting for rights that are on their way, and starts outside Lambda."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from callmissed.aws.clients import warm_up
from callmissed.aws.start import prepare_start, retry_while_denied


class FakeTime:
    """A clock that sleeping moves."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now


class Parameter:
    """A parameter that can be read from a moment on."""

    def __init__(self, time: FakeTime, readable_at: float, code: str = "AccessDeniedException") -> None:
        self.time, self.readable_at, self.code = time, readable_at, code
        self.asked = 0

    def read(self) -> str:
        self.asked += 1
        if self.time.now < self.readable_at:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetParameter")
        return "text"


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_denied_read_is_repeated_until_the_right_has_arrived(code: str) -> None:
    time = FakeTime()
    parameter = Parameter(time, 12.0, code)
    assert retry_while_denied(parameter.read, sleep=time.sleep, clock=time.clock) == "text"
    assert parameter.asked <= 7, "the pauses grow"


def test_read_that_stays_denied_fails_after_half_a_minute() -> None:
    time = FakeTime()
    with pytest.raises(ClientError, match="AccessDenied"):
        retry_while_denied(Parameter(time, 3600.0).read, sleep=time.sleep, clock=time.clock)
    assert 10 < time.now <= 30


def test_other_failures_are_not_repeated() -> None:
    time = FakeTime()
    parameter = Parameter(time, 1.0, "ParameterNotFound")
    with pytest.raises(ClientError, match="ParameterNotFound"):
        retry_while_denied(parameter.read, sleep=time.sleep, clock=time.clock)
    assert parameter.asked == 1


def test_start_outside_lambda_prepares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    prepare_start("no.such.module")


def test_start_in_lambda_imports_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    with pytest.raises(ModuleNotFoundError):
        prepare_start("no.such.module")


def test_warm_session_has_read_the_models_and_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    warm_up(["ssm", "sqs"])
    session: Any = boto3.DEFAULT_SESSION
    assert session._session._credentials is None
    loader = session._session.get_component("data_loader")
    read = {key[1] for key in loader._cache if key[0] == "load_service_model"}
    assert {"ssm", "sqs"} <= read
