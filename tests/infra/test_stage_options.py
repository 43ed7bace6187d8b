"""What the settings of a stage change in its templates."""

import json
from typing import Any

import pytest

from callmissed.platform.functions import (
    AUTH_API,
    AUTHORIZER,
    CALLBACKS_API,
    FUNCTIONS,
    INFERENCE,
    LEDGER_EVENTS,
    MAILER,
    WEBHOOKS_API,
)
from infra.config import StageConfig
from infra.declarations import Declarations
from tests.support.assembly import Assembly, synthesised

DOMAIN = "api.example.com"
CERTIFICATE = "arn:aws:acm:ap-south-1:123456789012:certificate/11112222"
RESERVED = {"ledger-sweep": 5, "event-relay": 10, "authorizer": 50}
SETTINGS = {
    "public_url": "CALLMISSED_PUBLIC_URL",
    "low_credits": "CALLMISSED_LOW_CREDITS",
    "console_url": "CALLMISSED_CONSOLE_URL",
    "passkey_rp_id": "CALLMISSED_PASSKEY_RP_ID",
}


@pytest.fixture(scope="module")
def with_options(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """A stage with a domain, snapshots, reserved concurrency and its own threshold of credits."""
    return synthesised(
        tmp_path_factory.mktemp("cdk-options.out"),
        Declarations(),
        domain_name=DOMAIN,
        certificate_arn=CERTIFICATE,
        low_credits=99,
        console_url="https://console.example.com",
        passkey_rp_id="example.com",
        snap_start=True,
        reserved_concurrency=RESERVED,
    )


def by_name(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Properties of every function, by declared name."""
    prefix = f"{assembly.config.service}-"
    functions = assembly.properties("AWS::Lambda::Function")
    return {properties["FunctionName"].removeprefix(prefix): properties for properties in functions}


def test_settings_reach_the_functions_that_read_them_and_no_others(with_options: Assembly) -> None:
    expected = {
        ("auth", "public_url"): f"https://{DOMAIN}",
        ("callbacks", "public_url"): f"https://{DOMAIN}",
        ("ledger-events", "low_credits"): "99",
        ("auth", "console_url"): "https://console.example.com",
        ("mailer", "console_url"): "https://console.example.com",
        ("billing", "console_url"): "https://console.example.com",
        ("order-sweep", "console_url"): "https://console.example.com",
        ("auth", "passkey_rp_id"): "example.com",
    }
    assert (CALLBACKS_API.settings, LEDGER_EVENTS.settings) == (("public_url",), ("low_credits",))
    found = {
        (name, setting): properties["Environment"]["Variables"][variable]
        for name, properties in by_name(with_options).items()
        for setting, variable in SETTINGS.items()
        if variable in properties["Environment"]["Variables"]
    }
    assert found == expected


def test_domain_leads_to_the_stage_of_the_api(with_options: Assembly) -> None:
    [domain] = with_options.properties("AWS::ApiGateway::DomainName")
    assert domain["DomainName"] == DOMAIN
    assert domain["RegionalCertificateArn"] == CERTIFICATE
    assert domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert domain["SecurityPolicy"] == "TLS_1_2"
    [(_, api, _)] = with_options.resources("AWS::ApiGateway::RestApi")
    [mapping] = with_options.properties("AWS::ApiGateway::BasePathMapping")
    assert mapping["RestApiId"] == {"Ref": api}
    assert "BasePath" not in mapping
    [(_, stage, _)] = with_options.resources("AWS::ApiGateway::Stage")
    assert mapping["Stage"] == {"Ref": stage}
    assert "DomainTarget" in with_options.templates["api"]["Outputs"]


def test_stage_without_a_domain_has_none(assembly: Assembly) -> None:
    assert assembly.properties("AWS::ApiGateway::DomainName") == []
    assert "DomainTarget" not in assembly.templates["api"]["Outputs"]


def test_concurrency_is_reserved_as_the_stage_says(assembly: Assembly, with_options: Assembly) -> None:
    found = {name: function.get("ReservedConcurrentExecutions") for name, function in by_name(with_options).items()}
    assert {name: value for name, value in found.items() if value is not None} == RESERVED
    assert not [one for one in by_name(assembly).values() if "ReservedConcurrentExecutions" in one]


def test_snapshots_are_of_functions_whose_callers_wait(with_options: Assembly) -> None:
    """None of `callbacks`: without integrations nobody calls it, and a provider repeats a call that is refused."""
    snapshotted = {name for name, properties in by_name(with_options).items() if "SnapStart" in properties}
    assert snapshotted == {function.name for function in (INFERENCE, AUTHORIZER, AUTH_API, WEBHOOKS_API)}
    assert {function.name for function in FUNCTIONS if function.snap_start} == snapshotted


def test_each_snapshot_is_used_once_a_week(assembly: Assembly, with_options: Assembly) -> None:
    """After 14 days without a call Lambda deletes it, and refuses the call that comes then."""
    woken: dict[str, Any] = {}
    for stack, _, resource in with_options.resources("AWS::Scheduler::Schedule"):
        schedule = resource["Properties"]
        if schedule["Name"].startswith("wake-up-"):
            assert (schedule["ScheduleExpression"], schedule["State"]) == ("rate(7 days)", "ENABLED")
            name = schedule["Name"].removeprefix("wake-up-")
            called = with_options.text(stack, schedule["Target"]["Arn"])
            assert called.endswith(f":function:callmissed-test-{name}:live"), "the snapshot is the version's"
            woken[name] = json.loads(schedule["Target"]["Input"])
    assert woken.keys() == {"inference", "authorizer", "auth", "webhooks"}
    assert woken["inference"]["resource"] == "/api/v1/models"
    assert not [one for one in assembly.properties("AWS::Scheduler::Schedule") if "wake-up" in one["Name"]]


def test_wake_ups_are_schedules_of_the_stage_with_its_dead_letters(with_options: Assembly) -> None:
    schedules = with_options.properties("AWS::Scheduler::Schedule")
    woken = [each for each in schedules if each["Name"].startswith("wake-up-")]
    assert len(woken) == 4
    assert len({json.dumps(each.get("GroupName")) for each in schedules}) == 1
    assert len({json.dumps(each["Target"].get("DeadLetterConfig")) for each in schedules}) == 1
    assert all(each["Target"]["DeadLetterConfig"] for each in woken)


def test_mails_leave_from_the_address_of_the_stage_and_no_other(
    assembly: Assembly, optional_assembly: Assembly
) -> None:
    [sending] = statements_on(optional_assembly, "ses:SendEmail")
    assert optional_assembly.text("workers", sending["Resource"]).endswith(":identity/example.com")
    assert sending["Condition"] == {"StringEquals": {"ses:FromAddress": "no-reply@example.com"}}
    assert statements_on(assembly, "ses:SendEmail") == []


def statements_on(assembly: Assembly, action: str) -> list[dict[str, Any]]:
    """Statements of all roles that allow exactly `action`."""
    policies = assembly.properties("AWS::IAM::Policy")
    statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    return [statement for statement in statements if statement["Action"] == action]


def test_settings_of_accounts_reach_the_functions_that_read_them(optional_assembly: Assembly) -> None:
    mailer, accounts = (by_name(optional_assembly)[name]["Environment"]["Variables"] for name in ("mailer", "auth"))
    assert (mailer["CALLMISSED_MAIL_TRANSPORT"], mailer["CALLMISSED_MAIL_FROM"]) == ("ses", "no-reply@example.com")
    assert accounts["CALLMISSED_SIGNUP_BONUS_CREDITS"] == "100"
    assert "CALLMISSED_MAIL_FROM" not in accounts


@pytest.mark.parametrize(
    ("settings", "has"),
    [
        ({}, False),
        ({"mail_transport": "ses", "mail_from": "a@example.com"}, False),
        ({"captcha": "turnstile"}, True),
        ({"mail_transport": "smtp", "mail_from": "a@example.com", "smtp_url": "smtps://mail.example.com"}, True),
    ],
)
def test_secret_of_accounts_is_read_only_where_a_setting_needs_it(settings: dict[str, str], has: bool) -> None:
    from infra.constructs.access import environment

    config = StageConfig.model_validate(settings)
    for function in (AUTH_API, MAILER):
        found = environment(function, config).get("CALLMISSED_ACCOUNT_SECRETS_NAME")
        assert found == ("callmissed/dev/account-secrets" if has else None)
