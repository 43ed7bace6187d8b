"""The check of the payment gateway's secrets: without them nobody can pay."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from callmissed.platform.resources import PAYMENT_SECRETS
from cli.checks.contents import check_payment_secrets
from cli.checks.finding import Severity
from tests.support.deployed_stage import DeployedStage


@pytest.fixture
def stage() -> Iterator[DeployedStage]:
    with mock_aws():
        yield DeployedStage()


def test_stage_without_a_payment_gateway_is_advice(stage: DeployedStage) -> None:
    stage.write_secret(PAYMENT_SECRETS, "{}")
    [found] = stage.asked(check_payment_secrets)
    assert (found.severity, found.text) == (
        Severity.ADVICE,
        "empty: payments are answered with 503, and callbacks of Cashfree are refused",
    )
    assert "--secret-id callmissed/prod/payment-secrets" in found.remedy


def test_half_of_an_account_at_the_payment_gateway_blocks(stage: DeployedStage) -> None:
    stage.write_secret(PAYMENT_SECRETS, '{"CASHFREE_SECRET_KEY": "cfsk"}')
    [found] = stage.asked(check_payment_secrets)
    assert (found.severity, found.text) == (
        Severity.BLOCKS,
        "without CASHFREE_APP_ID: payments are answered with 503",
    )


@pytest.mark.parametrize(("environment", "severity"), [("", Severity.ADVICE), ("live", Severity.BLOCKS)])
def test_gateway_that_takes_no_money_is_found(stage: DeployedStage, environment: str, severity: Severity) -> None:
    values = {"CASHFREE_APP_ID": "1", "CASHFREE_SECRET_KEY": "cfsk", "CASHFREE_ENVIRONMENT": environment}
    stage.write_secret(PAYMENT_SECRETS, json.dumps(values))
    [found] = stage.asked(check_payment_secrets)
    assert (found.severity, "cfsk" in found.text) == (severity, False)


def test_gateways_production_is_fine(stage: DeployedStage) -> None:
    [found] = stage.asked(check_payment_secrets)
    assert (found.severity, found.text) == (
        Severity.OK,
        "has CASHFREE_APP_ID, CASHFREE_SECRET_KEY, for production",
    )
