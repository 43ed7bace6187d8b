"""Where a stage's values come from."""

from typing import Any

import pytest

from infra.config import ConfigError, StageConfig, from_context

STREAM = "arn:aws:dynamodb:ap-south-1:123456789012:table/callmissed-dev-ledger/stream/2026-11-20T09:00:00.000"
STAGES = {"prod": {"log_retention_days": 731, "alarm_email": "ops@example.com"}}


def configured(context: dict[str, Any]) -> StageConfig:
    from aws_cdk import App

    return from_context(App(context=context).node)


def test_a_stage_without_values_keeps_logs_for_a_year() -> None:
    config = configured({})
    assert config.stage == "dev"
    assert config.log_retention_days == 365
    assert config.bundle and not config.snap_start


def test_values_come_from_the_named_stage() -> None:
    config = configured({"stage": "prod", "stages": STAGES})
    assert config.log_retention_days == 731
    assert config.named("api") == "callmissed-prod-api"


def test_command_line_wins_over_the_file() -> None:
    context = {"stage": "prod", "stages": STAGES, "snap_start": "true", "region": "eu-west-1"}
    config = configured(context)
    assert config.snap_start is True
    assert config.environment.region == "eu-west-1"


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("log_retention_days", "30", 30),
        ("reserved_concurrency", '{"authorizer": 5}', {"authorizer": 5}),
        ("restored_streams", f'{{"ledger": "{STREAM}"}}', {"ledger": STREAM}),
        ("bedrock_models", '["eu.amazon.nova-pro-v1:0"]', ("eu.amazon.nova-pro-v1:0",)),
        ("burst", "12", 12),
        ("firewall", "false", False),
    ],
)
def test_command_line_gives_any_setting_as_text(setting: str, text: str, value: object) -> None:
    assert getattr(configured({setting: text}), setting) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"stage": "Prod!"},
        {"stages": {"dev": {"log_retention_days": 366}}},
        {"stages": {"dev": {"retention": 30}}},
        {"requests_per_minute_per_ip": "9"},
        {"webhooks_at_once": "1"},
        {"stages": {"dev": {"restored_streams": {"ledger": "arn:aws:dynamodb:ap-south-1:123456789012:table/ledger"}}}},
        {"providers_object": "https://example.com/providers.toml"},
        {"public_url": "http://api.example.com"},
        {"public_url": "https://api.example.com/?stage=prod"},
        {"console_url": "http://console.example.com"},
        {"passkey_rp_id": "https://example.com"},
        {"low_credits": "-1"},
        {"signup_bonus_credits": "-1"},
        {"console_url": "http://console.example.com"},
        {"terms_url": "example.com/terms"},
        {"google_client_ids": "one, two"},
        {"captcha": "on"},
        {"mail_transport": "local"},
        {"mail_from": "no-reply"},
        {"smtp_url": "https://mail.example.com"},
        {"log_level": "WARNING"},
        {"bedrock_models": '["*"]'},
        {"bedrock_models": '["arn:aws:bedrock:*::foundation-model/*"]'},
        {"bedrock_models": "eu.amazon.nova-pro-v1:0"},
        {"log_retention_days": "31"},
        {"reserved_concurrency": "authorizer=5"},
        {"stages": {"dev": {"reserved_concurrency": {"ledger-sweep": -1}}}},
    ],
)
def test_wrong_values_stop_before_anything_is_built(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^stage \S+: \w+"):
        configured(wrong)


CERTIFICATE = "arn:aws:acm:ap-south-1:123456789012:certificate/11112222"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"domain_name": "api.example.com"}, "stage dev: domain_name and certificate_arn: set both, or neither"),
        ({"certificate_arn": CERTIFICATE}, "stage dev: domain_name and certificate_arn: set both, or neither"),
        (
            {"domain_name": "api.example.com", "certificate_arn": CERTIFICATE, "region": "eu-west-1"},
            "stage dev: certificate_arn: API Gateway needs a certificate in eu-west-1",
        ),
        ({"mail_transport": "ses"}, "stage dev: mail_from: a stage that sends mails has a sender's address"),
        (
            {"mail_transport": "smtp", "mail_from": "no-reply@example.com"},
            "stage dev: smtp_url: name the mail server",
        ),
        (
            {"stages": {"dev": {"reserved_concurrency": {"sweep": 1}}}},
            "stage dev: reserved_concurrency: there is no function sweep",
        ),
        (
            {"stages": {"dev": {"restored_streams": {"ledgers": STREAM}}}},
            "stage dev: restored_streams: no function follows a table ledgers",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_one_line(wrong: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(wrong)
    assert str(caught.value) == error


def test_stage_with_a_domain_is_known_by_it() -> None:
    own = {"domain_name": "api.example.com", "certificate_arn": CERTIFICATE}
    assert configured(own).public_url == "https://api.example.com"
    assert configured(own | {"public_url": "https://cdn.example.com"}).public_url == "https://cdn.example.com"
