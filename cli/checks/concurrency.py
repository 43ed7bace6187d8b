"""The account's concurrent executions, which all functions of all stages in a region share."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.checks.finding import CheckedStage, Finding, Severity, is_denied, ok

MIN_EXECUTIONS = 100
"""A stream occupies one execution as long as it lasts. A new account has 10, and webhooks alone may use 200."""

_QUOTA = "L-B99A9384"
_OPEN = ("PENDING", "CASE_OPENED")


def check_concurrency(stage: CheckedStage) -> Iterator[Finding]:
    """Whether the account's limit is one to serve callers with."""
    limits = stage.clients("lambda").get_account_settings()["AccountLimit"]
    total, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    text = f"{total} concurrent executions in {stage.region}, {unreserved} of them reserved for no function"
    if unreserved >= MIN_EXECUTIONS:
        yield ok("concurrency", text)
        return
    if asked := _asked(stage):
        yield Finding("concurrency", Severity.BLOCKS, f"{text}; {asked} are asked for", "Wait for AWS's answer.")
        return
    request = "aws service-quotas request-service-quota-increase --service-code lambda"
    remedy = f"{request} --quota-code {_QUOTA} --desired-value 1000 --region {stage.region}"
    yield Finding("concurrency", Severity.BLOCKS, f"{text}; callers above it get 503", remedy)


def _asked(stage: CheckedStage) -> int | None:
    """The limit that an open request asks for; None where requests may not be read."""
    try:
        quotas = stage.clients("service-quotas")
        history = quotas.list_requested_service_quota_change_history_by_quota(ServiceCode="lambda", QuotaCode=_QUOTA)
    except ClientError as error:
        if not is_denied(error):
            raise
        return None
    wanted = [int(each["DesiredValue"]) for each in history["RequestedQuotas"] if each["Status"] in _OPEN]
    return max(wanted, default=None)
