"""Whether anybody gets the alarms."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.checks.finding import CheckedStage, Finding, Severity, code_of, ok

_PENDING = "PendingConfirmation"


def check_alarms(stage: CheckedStage) -> Iterator[Finding]:
    """Whether the topic of the alarms has a confirmed subscription."""
    account = stage.clients("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    topic = f"arn:{partition}:sns:{stage.region}:{account['Account']}:{stage.named('alarms')}"
    subscribe = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint YOU@EXAMPLE.COM"
    try:
        found = stage.clients("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    except ClientError as error:
        if code_of(error) not in ("NotFound", "NotFoundException"):
            raise
        yield Finding("alarms", Severity.ADVICE, "there is no topic for them", stage.deploy("observability"))
        return
    confirmed = [each["Endpoint"] for each in found if each["SubscriptionArn"].startswith("arn:")]  # others: "Deleted"
    waiting = [each["Endpoint"] for each in found if each["SubscriptionArn"] == _PENDING]
    if confirmed:
        yield ok("alarms", f"go to {', '.join(confirmed)}")
    elif waiting:
        text = f"not confirmed: {', '.join(waiting)}. Follow the link in AWS's mail, or have it sent again"
        yield Finding("alarms", Severity.ADVICE, text, subscribe)
    else:
        yield Finding("alarms", Severity.ADVICE, "nobody is subscribed to them", subscribe)
