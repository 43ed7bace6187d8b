"""Acceptance of findings of cdk-nag and cfn-lint, each with its reason, next to the resource."""

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def accept(construct: IConstruct, reason: str, *rules: str) -> None:
    """Acknowledge `rules` on `construct` and all below it, for `reason`."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def accept_lint(resource: CfnResource, reason: str, *rules: str) -> None:
    """Make cfn-lint ignore `rules` on `resource`, for `reason`; both go into the template."""
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(rules)}, "reason": reason})
