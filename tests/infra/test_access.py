"""Where a function finds its providers file, and when it is started afresh."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from callmissed.platform.functions import BILLING_API, INFERENCE, LEDGER_SWEEP, WEBHOOK_SENDER, Function
from infra.config import StageConfig

if TYPE_CHECKING:
    from aws_cdk import App, Stack


@pytest.mark.parametrize("function", [INFERENCE, BILLING_API], ids=lambda function: function.name)
def test_providers_file_may_be_an_object(function: Function) -> None:
    from aws_cdk import App, Stack
    from aws_cdk import aws_iam as iam

    from infra.constructs.access import environment, grant

    config = StageConfig(providers_object="s3://settings/callmissed/providers.toml")
    app = App()
    stack = Stack(app, "stack", env=config.environment)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))  # pyright: ignore[reportArgumentType]
    grant(role, function, config)

    variables = environment(function, config)
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


PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0"
OWN_PROFILE = "arn:aws:bedrock:ap-south-1:123456789012:application-inference-profile/abcdef012345"


@pytest.mark.parametrize(
    ("model", "resources"),
    [
        ("openai.gpt-oss-120b-1:0", ["bedrock:ap-south-1::foundation-model/openai.gpt-oss-120b-1:0"]),
        ("deepseek.v3.1", ["bedrock:ap-south-1::foundation-model/deepseek.v3.1"]),
        (OWN_PROFILE, [OWN_PROFILE]),
        (
            "apac.anthropic.claude-x-v1:0",
            [
                "inference-profile/apac.anthropic.claude-x-v1:0",
                "bedrock:*::foundation-model/anthropic.claude-x-v1:0",
            ],
        ),
        (PROFILE, [PROFILE, "bedrock:*::foundation-model/amazon.nova-pro-v1:0"]),
    ],
)
def test_role_may_call_the_models_that_the_stage_names(model: str, resources: list[str]) -> None:
    allowed = models_allowed(StageConfig(bedrock_models=(model,)))

    assert len(allowed) == len(resources)
    for statement, resource in zip(allowed, resources, strict=True):
        assert statement["Action"] == ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        assert resource in json.dumps(statement["Resource"])
        assert ("Condition" in statement) == ("bedrock:*:" in resource)


def test_model_of_a_profile_is_called_through_the_profile_alone() -> None:
    _, model = models_allowed(StageConfig(bedrock_models=(PROFILE,)))

    assert model["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": PROFILE}}


def test_role_of_a_stage_without_models_may_call_none() -> None:
    assert models_allowed(StageConfig()) == []


def models_allowed(config: StageConfig) -> list[dict[str, Any]]:
    """What the role of the inference function may do on Bedrock."""
    from aws_cdk import App, Stack
    from aws_cdk import aws_iam as iam

    from infra.constructs.access import grant
    from infra.optional.bedrock_models import allow_models

    app = App()
    stack = Stack(app, "stack", env=config.environment)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))  # pyright: ignore[reportArgumentType]
    grant(role, INFERENCE, config)
    allow_models(role, INFERENCE, config)
    return [each for each in statements(app, stack) if "bedrock:" in str(each["Action"])]


def test_doctor_finds_the_models_in_the_functions_environment() -> None:
    from infra.constructs.access import environment

    config = StageConfig(bedrock_models=("a.b", PROFILE))

    assert environment(INFERENCE, config)["CALLMISSED_BEDROCK_MODELS"] == f"a.b {PROFILE}"
    assert "CALLMISSED_BEDROCK_MODELS" not in environment(LEDGER_SWEEP, config)
    assert "CALLMISSED_BEDROCK_MODELS" not in environment(INFERENCE, StageConfig())
