"""Saying why a finding of cdk-nag or cfn-lint is accepted, next to what it is about."""

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def accept(construct: IConstruct, reason: str, *rules: str) -> None:
    """Acknowledge `rules` on `construct` and all below it, for `reason`."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def accept_lint(resource: CfnResource, reason: str, *rules: str) -> None:
    """Tell cfn-lint to pass over `rules` on `resource`, for `reason`; both go into the template."""
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(rules)}, "reason": reason})
