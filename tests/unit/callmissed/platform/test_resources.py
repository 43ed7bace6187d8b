"""The rows of resources: what each grants, and that the settings read each variable."""

from dataclasses import fields

import pytest

from callmissed.platform.functions import (
    AUTH_API,
    BILLING_API,
    BOTS_API,
    CALLBACKS_API,
    EVENT_RELAY,
    FUNCTIONS,
    INFERENCE,
    LEDGER_SWEEP,
    MAILER,
    ORDER_SWEEP,
    PAYMENT_WORKER,
)
from callmissed.platform.functions.bots import CONVERSATION_DRAFTS, TURN_WORKER
from callmissed.platform.resources import (
    ACCOUNT_SECRETS,
    CALLBACK_SECRETS,
    EVENT_BUS,
    FILES_BUCKET,
    IMAGES_BUCKET,
    PAYMENT_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESOURCES,
    RESPONSES_BUCKET,
    SEALING_KEYS,
    STORED_RESPONSES,
    Resource,
)
from callmissed.settings import CoreSettings, from_environment


def test_resources_grant_reading_of_secrets_and_no_more() -> None:
    for secret in (PEPPERS, SEALING_KEYS, PROVIDER_KEYS, CALLBACK_SECRETS, PAYMENT_SECRETS, ACCOUNT_SECRETS):
        assert secret.actions == ("secretsmanager:GetSecretValue",)
    assert PROVIDERS_FILE.actions == ("ssm:GetParameter",)
    assert [each for each in RESOURCES if each.write_actions] == [PROVIDERS_FILE]
    for bucket in (RESPONSES_BUCKET, IMAGES_BUCKET):
        assert bucket.actions == ("s3:GetObject", "s3:PutObject")
    for bucket in (STORED_RESPONSES, FILES_BUCKET):
        assert bucket.actions == ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    assert EVENT_BUS.actions == ("events:PutEvents",)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_settings_read_the_variable_of_the_resource(resource: Resource) -> None:
    if resource.variable is None:
        assert resource is EVENT_BUS
        return
    settings = from_environment({resource.variable: "where"})
    assert "where" in [getattr(settings, each.name) for each in fields(CoreSettings)]


def test_resources_have_names_and_variables_of_their_own() -> None:
    names = [resource.physical_name("dev", account="1", region="eu-west-1") for resource in RESOURCES]
    variables = [resource.variable for resource in RESOURCES if resource.variable]
    assert len(set(names)) == len(names)
    assert len(set(variables)) == len(variables)
    assert {need for function in FUNCTIONS for need in function.needs} == set(RESOURCES)


def test_function_for_providers_callbacks_reads_none_of_their_api_keys() -> None:
    """It answers requests of anybody, and what it can read is what a fault in it could give away."""
    assert CALLBACKS_API.needs == (SEALING_KEYS, PAYMENT_SECRETS)
    assert [each for each in FUNCTIONS if CALLBACK_SECRETS in each.needs] == [BOTS_API]
    assert [each for each in FUNCTIONS if PROVIDER_KEYS in each.needs] == [
        INFERENCE,
        TURN_WORKER,
        CONVERSATION_DRAFTS,
    ]
    assert [each for each in FUNCTIONS if ACCOUNT_SECRETS in each.needs] == [AUTH_API, MAILER]


def test_functions_that_take_payments_alone_read_the_gateways_secrets() -> None:
    """Inference, above all, runs with requests of everybody, and must not be able to move money."""
    readers = {each.name for each in FUNCTIONS if PAYMENT_SECRETS in each.needs}
    assert PAYMENT_SECRETS not in INFERENCE.needs
    assert readers == {each.name for each in (CALLBACKS_API, BILLING_API, PAYMENT_WORKER, ORDER_SWEEP)}


def test_functions_that_read_secrets_at_their_start_are_known() -> None:
    assert any(need.read_at_start for need in INFERENCE.needs)
    assert not any(need.read_at_start for need in (*EVENT_RELAY.needs, *LEDGER_SWEEP.needs))
    assert not any(need.read_at_start for need in PAYMENT_WORKER.needs)
