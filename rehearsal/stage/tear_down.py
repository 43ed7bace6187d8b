"""The end of a stage: its stacks are deleted and what survives them is removed, as the operator's guide says."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from local.aws.account import ACCOUNT, REGION
from rehearsal.errors import StageError
from rehearsal.stage.engines import KINDS, Engines, existing
from rehearsal.stage.guide import commands_of, is_destroy, is_unprotect, run_block
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_SECTION = "Tear down"
_FAILED = "When a deployment fails"
_GOES_WITH_FUNCTION = "AWS::Lambda::Version"
_ANY_TABLE = "TABLE"
"""What stands in the guide for the last part of a table's name."""


def tear_down(engines: Engines, plan: DeploymentPlan, stage: str, folder: Path) -> None:
    """Follow the guide to its end. Raises StageError when a command fails, or something is left."""
    protected = set(plan.protected)
    destroyed = False
    for block in commands_of(_SECTION, stage, ACCOUNT, REGION):
        for command in run_block(block, engines, folder):
            if is_unprotect(command):
                protected.discard(command[command.index("--stack-name") + 1])
            elif is_destroy(command):
                if protected:
                    raise StageError(f"the guide deletes stacks with termination protection: {', '.join(protected)}")
                _destroy(engines, plan)
                destroyed = True
    if not destroyed:
        raise StageError("the guide never deletes the stacks")
    if left := [f"{resource.path}: {resource.name}" for resource in existing(engines, plan)]:
        raise StageError("\n".join(["left after the guide's last command:", *left]))
    if unlisted := list(_unlisted(plan)):
        raise StageError("\n".join(["survives its stack and is not in the guide:", *unlisted]))


def roll_back(engines: Engines, plan: DeploymentPlan, stage: str, folder: Path) -> None:
    """Undo a first deployment that failed at its very end: what it made goes, but for a policy of plain Retain.

    CloudFormation can't delete protected tables; the guide says how. Raises StageError for what is left after that,
    because its name is then taken for the next attempt.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    gone = [resource for resource in plan.resources if resource.deletion_policy != "Retain"]
    _delete(engines, [resource for resource in gone if not _is_protected(resource)])
    for table in filter(_is_protected, gone):
        for block in commands_of(_FAILED, stage, ACCOUNT, REGION):
            if _ANY_TABLE in block:
                run_block(block.replace(_ANY_TABLE, table.name.rpartition("-")[2]), engines, folder)
    if left := [f"{resource.path}: {resource.name}" for resource in existing(engines, plan)]:
        raise StageError("\n".join(["a first deployment that fails leaves what the next one can't make:", *left]))


def _is_protected(resource: PlannedResource) -> bool:
    return bool(resource.properties.get("DeletionProtectionEnabled"))


def _destroy(engines: Engines, plan: DeploymentPlan) -> None:
    """Delete all stacks, the last one first, but for what their templates retain."""
    _delete(engines, [resource for resource in plan.resources if not resource.survives])


def _delete(engines: Engines, resources: Sequence[PlannedResource]) -> None:
    for resource in reversed(resources):
        if kind := KINDS.get(resource.type):
            kind.delete(engines, resource)


def _unlisted(plan: DeploymentPlan) -> Iterable[str]:
    """Survivors without an engine that the guide does not name; the account's role for API Gateway's logs stays."""
    text = " ".join(commands_of(_SECTION, "", ACCOUNT, REGION))
    account = plan.of("AWS::ApiGateway::Account")
    roles = {each.properties["CloudWatchRoleArn"] for each in account}
    for resource in plan.resources:
        goes = resource.type in (_GOES_WITH_FUNCTION, *KINDS) or not resource.survives
        if goes or resource in account or resource.arn in roles:
            continue
        if not _is_named(resource, text):
            yield f"{resource.path}: {resource.type} {resource.name}"


def _is_named(resource: PlannedResource, text: str) -> bool:
    return resource.name.rpartition("-")[2] in text
