import pytest

from rehearsal.access.policies import AccessRequest, allows
from rehearsal.errors import UnsupportedError

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/keys"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:work"
READ = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}


def test_statement_allows_its_action_on_its_resource_only() -> None:
    assert allows([READ], AccessRequest("dynamodb:GetItem", TABLE))
    assert not allows([READ], AccessRequest("dynamodb:PutItem", TABLE))
    assert not allows([READ], AccessRequest("dynamodb:GetItem", f"{TABLE}/index/due"))
    assert not allows([], AccessRequest("dynamodb:GetItem", TABLE))


def test_deny_wins() -> None:
    deny = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    assert not allows([READ, deny], AccessRequest("dynamodb:GetItem", TABLE))


def test_pattern_knows_asterisk_and_question_mark_and_no_brackets() -> None:
    pattern = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::answers-?/[a]*"}
    assert allows([pattern], AccessRequest("s3:GetObject", "arn:aws:s3:::answers-1/[a]b"))
    assert not allows([pattern], AccessRequest("s3:GetObject", "arn:aws:s3:::answers-1/ab"))
    assert not allows([pattern], AccessRequest("s3:PutObject", "arn:aws:s3:::answers-1/[a]b"))


def test_not_action_allows_everything_else() -> None:
    others = {"Effect": "Allow", "NotAction": "dynamodb:DeleteItem", "Resource": "*"}
    assert allows([others], AccessRequest("dynamodb:GetItem", TABLE))
    assert not allows([others], AccessRequest("dynamodb:DeleteItem", TABLE))


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"ArnEquals": {"aws:SourceArn": "arn:aws:events:*:rule/bus/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/other/*"}}, False),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, True),
        ({"StringEquals": {"aws:SourceAccount": ["1", "2"]}}, False),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
    ],
)
def test_condition_decides(condition: dict[str, dict[str, str]], allowed: bool) -> None:
    principal = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": QUEUE}
    context = {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/bus/fanout",
    }
    request = AccessRequest("sqs:SendMessage", QUEUE, context, "events.amazonaws.com")
    assert allows([{**statement, "Condition": condition}], request) is allowed


def test_unknown_condition_is_an_error() -> None:
    statement = {**READ, "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}
    with pytest.raises(UnsupportedError, match="DateLessThan"):
        allows([statement], AccessRequest("dynamodb:GetItem", TABLE))


def test_principal_of_a_resource_policy_is_one_service() -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": "*"}
    assert allows([statement], AccessRequest("sqs:SendMessage", QUEUE, service="sns.amazonaws.com"))
    assert not allows([statement], AccessRequest("sqs:SendMessage", QUEUE, service="events.amazonaws.com"))
