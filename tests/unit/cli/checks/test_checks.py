"""What each check finds, and the command that mends it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from callmissed.platform.resources import (
    CALLBACK_SECRETS,
    PAYMENT_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    SEALING_KEYS,
)
from cli.checks.alarms import check_alarms
from cli.checks.concurrency import check_concurrency
from cli.checks.contents import check_callback_secrets, check_payment_secrets, check_provider_keys, check_rings
from cli.checks.finding import CheckedStage, Finding, Severity
from cli.checks.functions import check_functions
from cli.checks.mails import check_mails
from cli.checks.stage import check_stage
from tests.support.deployed_stage import REGION, STAGE, DeployedStage, FakeSes

OWN_PROVIDER = """
[providers.home]
base_url = "https://llm.example.com/v1"
"""


@pytest.fixture
def stage() -> Iterator[DeployedStage]:
    with mock_aws():
        yield DeployedStage()


def problem(findings: list[Finding]) -> Finding:
    """The one finding that is not in order."""
    [found] = [finding for finding in findings if finding.severity is not Severity.OK]
    return found


def test_stage_that_lacks_nothing_is_in_order(stage: DeployedStage) -> None:
    findings = check_stage(STAGE, REGION, stage.client)
    assert [finding for finding in findings if finding.severity is not Severity.OK or finding.remedy] == []
    assert len(findings) == 10


def test_new_account_has_too_few_executions(stage: DeployedStage) -> None:
    stage.functions.concurrency = stage.functions.unreserved = 10
    found = problem(stage.asked(check_concurrency))
    assert found.severity is Severity.BLOCKS
    assert "10 concurrent executions in ap-south-1" in found.text
    assert found.remedy == (
        "aws service-quotas request-service-quota-increase --service-code lambda"
        " --quota-code L-B99A9384 --desired-value 1000 --region ap-south-1"
    )


def test_request_for_more_executions_is_not_made_twice(stage: DeployedStage) -> None:
    stage.functions.concurrency = stage.functions.unreserved = 10
    stage.quotas.requests = [
        {"Status": "DENIED", "DesiredValue": 5.0},
        {"Status": "CASE_OPENED", "DesiredValue": 900.0},
    ]
    found = problem(stage.asked(check_concurrency))
    assert "900 are asked for" in found.text
    assert "request-service-quota-increase" not in found.remedy


def test_too_few_executions_block_also_where_requests_may_not_be_read(stage: DeployedStage) -> None:
    stage.functions.concurrency = stage.functions.unreserved = 10
    stage.quotas.denied = "AccessDeniedException"
    found = problem(check_stage(STAGE, REGION, stage.client))
    assert (found.subject, found.severity) == ("concurrency", Severity.BLOCKS)


def test_function_that_failed_blocks(stage: DeployedStage) -> None:
    stage.functions.functions["callmissed-prod-webhooks"]["State"] = "Failed"
    found = problem(stage.asked(check_functions))
    assert (found.severity, found.text) == (Severity.BLOCKS, "failed: webhooks")
    assert found.remedy == "npx cdk deploy --all -c stage=prod"


def test_functions_that_are_missing_block(stage: DeployedStage) -> None:
    del stage.functions.functions["callmissed-prod-ledger-sweep"]
    found = problem(stage.asked(check_functions))
    assert (found.severity, found.text) == (Severity.BLOCKS, "not deployed: ledger-sweep")
    assert found.remedy == "npx cdk deploy --all -c stage=prod"


def test_function_whose_snapshot_was_deleted_is_named(stage: DeployedStage) -> None:
    stage.functions.functions["callmissed-prod-webhooks"]["State"] = "Inactive"
    found = problem(stage.asked(check_functions))
    assert found.severity is Severity.ADVICE
    assert found.text.startswith("not active: webhooks")
    assert "callmissed-prod-webhooks:live" in found.remedy


@pytest.mark.parametrize(("status", "severity"), [("On", Severity.OK), ("Off", Severity.ADVICE)])
def test_region_without_snapshots_is_found(stage: DeployedStage, status: str, severity: Severity) -> None:
    snap_start = {"ApplyOn": "PublishedVersions", "OptimizationStatus": status}
    stage.functions.functions["callmissed-prod-inference"]["SnapStart"] = snap_start
    [found] = [finding for finding in stage.asked(check_functions) if finding.subject == "snapshots"]
    assert found.severity is severity
    assert "inference" in found.text


@pytest.mark.parametrize("resource", [PEPPERS, SEALING_KEYS], ids=lambda resource: resource.name)
@pytest.mark.parametrize("text", ["", "ab", "not hexadecimal"])
def test_secret_that_is_no_key_blocks(stage: DeployedStage, resource: object, text: str) -> None:
    stage.write_secret(resource, text or " ")
    found = problem(stage.asked(check_rings))
    assert found.severity is Severity.BLOCKS
    assert "--secret-string $(openssl rand -hex 32)" in found.remedy
    assert text == "" or text not in found.text


def test_secret_that_does_not_exist_blocks(stage: DeployedStage) -> None:
    stage.real("secretsmanager").delete_secret(SecretId="callmissed/prod/peppers", ForceDeleteWithoutRecovery=True)
    found = problem(stage.asked(check_rings))
    assert (found.text, found.remedy) == ("does not exist", "npx cdk deploy data -c stage=prod")


@pytest.mark.parametrize("check", [check_rings, check_provider_keys, check_callback_secrets, check_payment_secrets])
def test_binary_secret_is_a_finding(stage: DeployedStage, check: Callable[[CheckedStage], Iterator[Finding]]) -> None:
    for resource in (PEPPERS, SEALING_KEYS, PROVIDER_KEYS, CALLBACK_SECRETS, PAYMENT_SECRETS):
        stage.real("secretsmanager").put_secret_value(SecretId=resource.physical_name(STAGE), SecretBinary=b"\xff")
    found = [finding for finding in stage.asked(check) if finding.severity is Severity.BLOCKS]
    assert found
    assert all(finding.text == "is binary, not text" and "put-secret-value" in finding.remedy for finding in found)


def test_secret_that_may_not_be_read_hides_no_other(stage: DeployedStage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = stage.real("secretsmanager")

    class PeppersDenied:
        def get_secret_value(self, SecretId: str) -> Any:  # noqa: N803  boto3's
            if SecretId == PEPPERS.physical_name(STAGE):
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")
            return real.get_secret_value(SecretId=SecretId)

    stage.write_secret(SEALING_KEYS, "not hexadecimal")
    given = stage.client
    monkeypatch.setattr(stage, "client", lambda name: PeppersDenied() if name == "secretsmanager" else given(name))
    unseen, wrong = stage.asked(check_rings)
    assert (unseen.subject, unseen.severity) == ("callmissed/prod/peppers", Severity.ADVICE)
    assert "may not call GetSecretValue" in unseen.text
    assert (wrong.subject, wrong.severity) == ("callmissed/prod/sealing-keys", Severity.BLOCKS)


def test_what_was_found_before_a_denial_is_kept(stage: DeployedStage) -> None:
    stage.write_providers("[[models]]\nid = 5\n")
    stage.denied = frozenset({"secretsmanager"})
    findings = check_stage(STAGE, REGION, stage.client)
    assert [finding.subject for finding in findings if finding.severity is Severity.BLOCKS] == [
        PROVIDERS_FILE.physical_name(STAGE)
    ]


def test_deleted_secret_can_be_restored(stage: DeployedStage) -> None:
    stage.real("secretsmanager").delete_secret(SecretId="callmissed/prod/peppers")
    assert problem(stage.asked(check_rings)).remedy == (
        "aws secretsmanager restore-secret --secret-id callmissed/prod/peppers"
    )


def test_stage_without_any_provider_key_blocks(stage: DeployedStage) -> None:
    stage.write_secret(PROVIDER_KEYS, '{"OPENAI_API_KEY": ""}')
    found = problem(stage.asked(check_provider_keys))
    assert (found.severity, "only the sandbox" in found.text) == (Severity.BLOCKS, True)


def test_stage_with_a_provider_that_needs_no_key_does_not_block(stage: DeployedStage) -> None:
    stage.write_secret(PROVIDER_KEYS, "{}")
    stage.write_providers(OWN_PROVIDER)
    assert all(finding.severity is Severity.OK for finding in stage.asked(check_provider_keys))


def test_providers_with_and_without_keys_are_named(stage: DeployedStage) -> None:
    [file, keys] = stage.asked(check_provider_keys)
    assert file.severity is keys.severity is Severity.OK
    assert keys.text.startswith("has OPENAI_API_KEY; without: ")
    assert "sk-1" not in keys.text


def test_key_of_no_provider_is_a_misspelled_one(stage: DeployedStage) -> None:
    stage.write_secret(PROVIDER_KEYS, '{"OPENAI_API_KEY": "sk-1", "OPENAI_KEY": "sk-2"}')
    found = problem(stage.asked(check_provider_keys))
    assert (found.severity, found.text) == (Severity.ADVICE, "no provider of the catalog has the key OPENAI_KEY")


@pytest.mark.parametrize("text", ["[1]", "sk-1"])
def test_provider_keys_that_are_no_object_block(stage: DeployedStage, text: str) -> None:
    stage.write_secret(PROVIDER_KEYS, text)
    found = problem(stage.asked(check_provider_keys))
    assert (found.severity, found.text) == (Severity.BLOCKS, "is no JSON object")


def test_providers_file_that_is_wrong_blocks(stage: DeployedStage) -> None:
    stage.write_providers("[[models]]\nid = 5\n")
    found = problem(stage.asked(check_provider_keys))
    assert (found.subject, found.severity) == (PROVIDERS_FILE.physical_name(STAGE), Severity.BLOCKS)
    assert "aws ssm put-parameter --name /callmissed/prod/providers" in found.remedy


def test_providers_file_that_does_not_exist_blocks(stage: DeployedStage) -> None:
    stage.real("ssm").delete_parameter(Name=PROVIDERS_FILE.physical_name(STAGE))
    assert problem(stage.asked(check_provider_keys)).remedy == "npx cdk deploy data -c stage=prod"


def with_providers_object(stage: DeployedStage, text: str | None) -> None:
    """Let the stage read its file from an object; None for one that does not exist."""
    variables = {PROVIDERS_FILE.variable: "s3://acme-config/providers.toml"}
    stage.functions.functions["callmissed-prod-inference"]["Environment"] = {"Variables": variables}
    where = {"LocationConstraint": REGION}
    stage.real("s3").create_bucket(Bucket="acme-config", CreateBucketConfiguration=where)
    if text is not None:
        stage.real("s3").put_object(Bucket="acme-config", Key="providers.toml", Body=text.encode())


def test_providers_file_in_an_object_counts_instead_of_the_parameter(stage: DeployedStage) -> None:
    stage.write_secret(PROVIDER_KEYS, "{}")
    with_providers_object(stage, OWN_PROVIDER)
    [file, keys] = stage.asked(check_provider_keys)
    assert (file.subject, file.severity) == ("s3://acme-config/providers.toml", Severity.OK)
    assert keys.severity is Severity.OK


@pytest.mark.parametrize("text", [None, "[[models]]\nid = 5\n"])
def test_object_that_is_wrong_or_missing_blocks(stage: DeployedStage, text: str | None) -> None:
    with_providers_object(stage, text)
    found = problem(stage.asked(check_provider_keys))
    assert (found.subject, found.severity) == ("s3://acme-config/providers.toml", Severity.BLOCKS)
    assert found.remedy == "aws s3 cp providers.toml s3://acme-config/providers.toml"


ON_BEDROCK = """
[[models]]
id = "nova"
provider = "bedrock"
upstream_id = "eu.amazon.nova-pro-v1:0"
input = 1
output = 2
context_window = 1000
"""


def with_models_allowed(stage: DeployedStage, *models: str) -> None:
    """Let the stage have a model on Bedrock, and a role that may call these."""
    stage.write_secret(PROVIDER_KEYS, "{}")
    stage.write_providers(ON_BEDROCK)
    variables = {"CALLMISSED_BEDROCK_MODELS": " ".join(models)} if models else {}
    stage.functions.functions["callmissed-prod-inference"]["Environment"] = {"Variables": variables}


@pytest.mark.parametrize("models", [(), ("openai.gpt-oss-120b-1:0",)])
def test_model_on_bedrock_that_the_role_may_not_call_blocks(stage: DeployedStage, models: tuple[str, ...]) -> None:
    with_models_allowed(stage, *models)
    found = problem(stage.asked(check_provider_keys))
    assert (found.subject, found.severity) == ("bedrock", Severity.BLOCKS)
    assert found.text == "the role may not call eu.amazon.nova-pro-v1:0"
    setting = ", ".join(f'"{each}"' for each in sorted((*models, "eu.amazon.nova-pro-v1:0")))
    assert found.remedy == f'Set "bedrock_models": [{setting}] in cdk.json, then npx cdk deploy api -c stage=prod'


def test_models_on_bedrock_need_no_key(stage: DeployedStage) -> None:
    with_models_allowed(stage, "eu.amazon.nova-pro-v1:0")
    findings = stage.asked(check_provider_keys)
    assert [each.severity for each in findings] == [Severity.OK] * 3
    assert findings[-1].text == "the role may call eu.amazon.nova-pro-v1:0"


def test_embedding_models_on_bedrock_need_rights_once_they_are_switched_on(stage: DeployedStage) -> None:
    with_models_allowed(stage, "eu.amazon.nova-pro-v1:0", "cohere.embed-multilingual-v3")
    stage.write_secret(PROVIDER_KEYS, '{"BEDROCK_EMBEDDINGS_REGION": "eu-central-1", "CLOUDFLARE_ACCOUNT_ID": "a"}')
    assert problem(stage.asked(check_provider_keys)).text == "the role may not call amazon.titan-embed-text-v2:0"


def test_models_on_bedrock_with_a_key_need_no_rights(stage: DeployedStage) -> None:
    with_models_allowed(stage)
    stage.write_secret(PROVIDER_KEYS, '{"AWS_BEARER_TOKEN_BEDROCK": "k"}')
    assert [each.severity for each in stage.asked(check_provider_keys)] == [Severity.OK] * 2


def test_empty_callback_secrets_are_advice(stage: DeployedStage) -> None:
    stage.write_secret(CALLBACK_SECRETS, "{}")
    found = problem(stage.asked(check_callback_secrets))
    assert (found.severity, "Embedded Signup" in found.text) == (Severity.ADVICE, True)
    assert "META_APP_SECRET" in found.remedy


def test_alarms_without_a_confirmed_subscription_are_advice(stage: DeployedStage) -> None:
    [subscribed] = stage.real("sns").list_subscriptions_by_topic(TopicArn=stage.topic)["Subscriptions"]
    stage.real("sns").unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
    found = problem(stage.asked(check_alarms))
    assert (found.severity, found.text) == (Severity.ADVICE, "nobody is subscribed to them")
    assert f"aws sns subscribe --topic-arn {stage.topic}" in found.remedy


def test_subscription_that_waits_for_its_confirmation_is_advice(
    stage: DeployedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting:
        def list_subscriptions_by_topic(self, **_: str) -> object:
            return {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation", "Endpoint": "ops@example.com"}]}

    monkeypatch.setattr(
        stage, "real", lambda service, real=stage.real: Waiting() if service == "sns" else real(service)
    )
    found = problem(stage.asked(check_alarms))
    assert found.text.startswith("not confirmed: ops@example.com")


def test_deleted_subscription_is_none(stage: DeployedStage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deleted:
        def list_subscriptions_by_topic(self, **_: str) -> object:
            return {"Subscriptions": [{"SubscriptionArn": "Deleted", "Endpoint": "ops@example.com"}]}

    monkeypatch.setattr(
        stage, "real", lambda service, real=stage.real: Deleted() if service == "sns" else real(service)
    )
    assert problem(stage.asked(check_alarms)).text == "nobody is subscribed to them"


def test_stage_without_a_topic_has_no_alarms(stage: DeployedStage) -> None:
    stage.real("sns").delete_topic(TopicArn=stage.topic)
    assert problem(stage.asked(check_alarms)).remedy == "npx cdk deploy observability -c stage=prod"


def test_what_the_operator_may_not_see_stops_no_other_check(stage: DeployedStage) -> None:
    stage.denied = frozenset({"lambda", "sns"})
    findings = check_stage(STAGE, REGION, stage.client)
    unseen = [finding.subject for finding in findings if "may not call" in finding.text]
    assert unseen == ["concurrency", "functions", "mails", "alarms"]
    assert len(findings) > len(unseen)


def test_stage_without_mails_lets_nobody_confirm_an_address(stage: DeployedStage) -> None:
    for transport in ("none", ""):
        stage.functions.send_mails(mail_transport=transport)
        found = problem(stage.asked(check_mails))
        assert (found.severity, "nobody can confirm an address" in found.text) == (Severity.ADVICE, True)
    assert found.remedy.endswith("npx cdk deploy workers -c stage=prod")
    stage.functions.send_mails(mail_transport="smtp", mail_from="a@example.com")
    assert [finding.severity for finding in stage.asked(check_mails)] == [Severity.OK]
    stage.functions.functions.clear()
    assert stage.asked(check_mails) == [], "the functions' own check says so"


@pytest.mark.parametrize(
    ("ses", "severity", "text", "remedy"),
    [
        ({"in_production": False}, Severity.ADVICE, "sandbox", "put-account-details --production-access-enabled"),
        ({"sends": False}, Severity.BLOCKS, "stopped sending", "Support Center"),
        ({"identities": {}}, Severity.BLOCKS, "does not know", "create-email-identity --email-identity mail.example"),
        (
            {"identities": {"mail.example.com": False, "com": True}},
            Severity.BLOCKS,
            "has not verified mail.example.com",
            "get-email-identity --email-identity mail.example.com --region ap-south-1",
        ),
    ],
    ids=["sandbox", "stopped", "unknown", "unverified"],
)
def test_account_at_ses_that_sends_to_nobody_is_found(
    stage: DeployedStage, ses: dict[str, Any], severity: Severity, text: str, remedy: str
) -> None:
    stage.ses = FakeSes(**ses)
    found = problem(stage.asked(check_mails))
    assert (found.severity, text in found.text, remedy in found.remedy) == (severity, True, True)
