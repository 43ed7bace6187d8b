"""The right to send mails through SES: from the stage's address only, and only where the stage sends so."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from callmissed.platform.functions import Function
from infra.config import StageConfig


def allow_mails(role: iam.Role, declared: Function, config: StageConfig) -> None:
    """Let the role of a function that sends mails use the verified identity of the sender.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
    """
    if not declared.sends_mail or config.mail_transport != "ses":
        return
    identity = config.mail_identity or config.mail_from.rpartition("@")[2]
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["ses:SendEmail"],
            resources=[f"arn:{Aws.PARTITION}:ses:{config.region}:{Aws.ACCOUNT_ID}:identity/{identity}"],
            conditions={"StringEquals": {"ses:FromAddress": config.mail_from}},
        )
    )
