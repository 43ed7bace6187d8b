"""Where a stage's values come from."""

from typing import Any

import pytest
from pydantic import ValidationError

from infra.config import StageConfig, from_context

STAGES = {"prod": {"log_retention_days": 731, "alarm_email": "ops@example.com"}}


def configured(context: dict[str, Any]) -> StageConfig:
    from aws_cdk import App

    return from_context(App(context=context).node)


def test_a_stage_without_values_keeps_logs_for_a_year() -> None:
    config = configured({})
    assert config.stage == "dev"
    assert config.log_retention_days == 365
    assert config.bundle and config.snap_start


def test_values_come_from_the_named_stage() -> None:
    config = configured({"stage": "prod", "stages": STAGES})
    assert config.log_retention_days == 731
    assert config.named("api") == "callmissed-prod-api"


def test_command_line_wins_over_the_file() -> None:
    context = {"stage": "prod", "stages": STAGES, "snap_start": "false", "region": "eu-west-1"}
    config = configured(context)
    assert config.snap_start is False
    assert config.environment.region == "eu-west-1"


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
    ],
)
def test_wrong_values_stop_before_anything_is_built(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        configured(wrong)
