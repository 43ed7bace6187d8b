"""Every declared table, and the places that operators write to."""

import pytest

from callmissed.platform.resources import (
    CALLBACK_SECRETS,
    PAYMENT_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESOURCES,
    SEALING_KEYS,
    ResourceKind,
)
from callmissed.platform.resources import Resource as Declared
from callmissed.platform.tables import TABLES, create_table_request, physical_name
from tests.support.assembly import Assembly, Resource

BY_NAME = {table.name: table for table in TABLES}
EACH = pytest.mark.parametrize("name", BY_NAME)


def found(assembly: Assembly, name: str) -> Resource:
    """The resource of one declared table."""
    wanted = physical_name(assembly.config.stage, BY_NAME[name])
    [match] = [
        resource
        for _, _, resource in assembly.resources("AWS::DynamoDB::Table")
        if resource["Properties"]["TableName"] == wanted
    ]
    return match


def test_template_has_no_table_that_is_not_declared(assembly: Assembly) -> None:
    assert len(assembly.properties("AWS::DynamoDB::Table")) == len(TABLES)


@EACH
def test_table_has_the_keys_index_and_stream_of_the_local_stack(assembly: Assembly, name: str) -> None:
    request = create_table_request(assembly.config.stage, BY_NAME[name])
    properties = found(assembly, name)["Properties"]
    assert properties["KeySchema"] == request["KeySchema"]
    assert sorted(properties["AttributeDefinitions"], key=str) == sorted(request["AttributeDefinitions"], key=str)
    assert properties["BillingMode"] == request["BillingMode"]
    assert properties.get("GlobalSecondaryIndexes") == request.get("GlobalSecondaryIndexes")
    stream = request.get("StreamSpecification", {}).get("StreamViewType")
    assert properties.get("StreamSpecification", {}).get("StreamViewType") == stream


@EACH
def test_table_expires_items_as_declared(assembly: Assembly, name: str) -> None:
    declared = BY_NAME[name].ttl_attribute
    expected = {"AttributeName": declared, "Enabled": True} if declared else None
    assert found(assembly, name)["Properties"].get("TimeToLiveSpecification") == expected


@EACH
def test_table_survives_mistakes(assembly: Assembly, name: str) -> None:
    resource = found(assembly, name)
    assert resource["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert resource["Properties"]["DeletionProtectionEnabled"] is True
    with_key_of_aws = {"SSEEnabled": False}  # DynamoDB encrypts with a key of its own, at no charge
    assert resource["Properties"]["SSESpecification"] == with_key_of_aws
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_first_pepper_and_sealing_key_are_32_random_bytes_in_hex(assembly: Assembly) -> None:
    stage = assembly.config.stage
    secrets = {properties["Name"]: properties for properties in assembly.properties("AWS::SecretsManager::Secret")}
    random = {PEPPERS.physical_name(stage), SEALING_KEYS.physical_name(stage)}
    filled_by_hand = {each.physical_name(stage) for each in (PROVIDER_KEYS, CALLBACK_SECRETS, PAYMENT_SECRETS)}
    assert set(secrets) == random | filled_by_hand
    for generator in [secrets[name]["GenerateSecretString"] for name in random]:
        assert generator["PasswordLength"] == 64
        assert generator["ExcludeUppercase"] and generator["ExcludePunctuation"]
        alphabet = set("abcdefghijklmnopqrstuvwxyz0123456789") - set(generator["ExcludeCharacters"])
        assert alphabet == set("0123456789abcdef")
    assert secrets[PROVIDER_KEYS.physical_name(stage)]["SecretString"] == "{}"


def test_secrets_outlive_the_stack(assembly: Assembly) -> None:
    secrets = [resource for _, _, resource in assembly.resources("AWS::SecretsManager::Secret")]
    assert {secret["DeletionPolicy"] for secret in secrets} == {"RetainExceptOnCreate"}


def test_tables_are_made_after_everything_that_may_fail(assembly: Assembly) -> None:
    """A failed deployment can't take back a table that is protected from deletion."""
    others = {
        logical_id
        for logical_id, resource in assembly.templates["data"]["Resources"].items()
        if resource["Type"] != "AWS::DynamoDB::Table"
    }
    for _, _, table in assembly.resources("AWS::DynamoDB::Table"):
        assert set(table["DependsOn"]) == others


BUCKETS = [resource for resource in RESOURCES if resource.kind is ResourceKind.BUCKET]


def bucket_of(assembly: Assembly, declared: Declared) -> Resource:
    """The resource of one declared bucket."""
    name = declared.physical_name(assembly.config.stage, account="<AWS::AccountId>", region=assembly.config.region)
    [match] = [
        bucket
        for stack, _, bucket in assembly.resources("AWS::S3::Bucket")
        if assembly.text(stack, bucket["Properties"]["BucketName"]) == name
    ]
    return match


def test_template_has_no_bucket_that_is_not_declared(assembly: Assembly) -> None:
    assert len(assembly.properties("AWS::S3::Bucket")) == len(BUCKETS)


def test_long_bodies_go_when_nothing_names_them_any_more() -> None:
    days = {bucket.name: bucket.expires_days for bucket in BUCKETS}
    assert days == {"responses": 2, "stored-responses": 31, "images": 31, "files": 31}


@pytest.mark.parametrize("declared", BUCKETS, ids=lambda bucket: bucket.name)
def test_buckets_are_private_and_expire(assembly: Assembly, declared: Declared) -> None:
    properties = bucket_of(assembly, declared)["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    [encryption] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [rule] = properties["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", declared.expires_days)


def test_pages_of_any_origin_follow_signed_urls_and_send_signed_forms(assembly: Assembly) -> None:
    """A deployment does not know to which sites tenants lock their keys; a signature opens one object, for minutes."""
    rules = {
        declared.name: bucket_of(assembly, declared)["Properties"]["CorsConfiguration"]["CorsRules"]
        for declared in BUCKETS
        if declared.page_methods
    }
    shared = {"AllowedOrigins": ["*"], "MaxAge": 600}
    assert rules == {
        "images": [{"AllowedMethods": ["GET"], **shared}],
        "files": [{"AllowedMethods": ["GET", "POST"], **shared}],
    }


def test_buckets_refuse_requests_without_encryption(assembly: Assembly) -> None:
    policies = assembly.properties("AWS::S3::BucketPolicy")
    assert len(policies) == len(BUCKETS)
    for policy in policies:
        [statement] = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_names_of_buckets_are_short_enough_for_any_stage_and_region() -> None:
    for bucket in BUCKETS:
        assert len(bucket.physical_name("a" * 16, account="1" * 12, region="ap-southeast-1")) <= 63


def test_providers_file_may_grow_past_the_standard_parameter(assembly: Assembly) -> None:
    [parameter] = assembly.properties("AWS::SSM::Parameter")
    assert parameter["Name"] == PROVIDERS_FILE.physical_name(assembly.config.stage)
    assert parameter["Tier"] == "Intelligent-Tiering"
