"""Where a function finds its providers file, and when it is started afresh."""

from typing import TYPE_CHECKING, Any

import pytest

from callmissed.platform.functions import INFERENCE, LEDGER_SWEEP, WEBHOOK_SENDER
from infra.config import StageConfig

if TYPE_CHECKING:
    from aws_cdk import App, Stack


def test_providers_file_may_be_an_object() -> None:
    from aws_cdk import App, Stack
    from aws_cdk import aws_iam as iam

    from infra.constructs.access import environment, grant

    config = StageConfig(providers_object="s3://settings/callmissed/providers.toml")
    app = App()
    stack = Stack(app, "stack", env=config.environment)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))  # pyright: ignore[reportArgumentType]
    grant(role, INFERENCE, config)

    variables = environment(INFERENCE, config)
    assert variables["CALLMISSED_PROVIDERS_FILE"] == "s3://settings/callmissed/providers.toml"
    allowed = statements(app, stack)
    [reading] = [statement for statement in allowed if statement["Action"] == "s3:GetObject"]
    assert ":s3:::settings/callmissed/providers.toml" in str(reading["Resource"])
    assert "*" not in str(reading["Resource"])
    assert "ssm:" not in str([statement["Action"] for statement in allowed])


def statements(app: "App", stack: "Stack") -> list[dict[str, Any]]:
    """Statements of the one policy in `stack`."""
    resources: dict[str, Any] = app.synth().get_stack_by_name(stack.stack_name).template["Resources"]
    [policy] = [resource for resource in resources.values() if resource["Type"] == "AWS::IAM::Policy"]
    return policy["Properties"]["PolicyDocument"]["Statement"]


@pytest.mark.parametrize("revision", ["", "2"])
def test_new_revision_starts_only_functions_that_read_secrets(revision: str) -> None:
    from infra.constructs.access import environment

    config = StageConfig(revision=revision)
    assert environment(INFERENCE, config).get("CALLMISSED_REVISION", "") == revision
    assert environment(WEBHOOK_SENDER, config).get("CALLMISSED_REVISION", "") == revision
    assert "CALLMISSED_REVISION" not in environment(LEDGER_SWEEP, config)
