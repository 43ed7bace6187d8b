"""Permissions of a role: named actions on one named resource."""

from aws_cdk import aws_iam as iam


def allow(role: iam.Role, resource: str, *actions: str) -> None:
    """Let `role` do `actions` on the resource of that ARN."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[resource]))
