"""A second deployment of a stage in the engines, in CloudFormation's order: make, change, and at last clean up.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from rehearsal.errors import UnsupportedError
from rehearsal.stage.engines import KINDS, Engines
from rehearsal.templates.plan import DeploymentPlan, PlannedResource


def update_resources(engines: Engines, old: DeploymentPlan, new: DeploymentPlan) -> list[PlannedResource]:
    """Bring the resources of `old` to `new`. Returns what was deleted; what the old template retains stays.

    Raises UnsupportedError for a change that the rehearsal does not know.
    """
    before = {resource.path: resource for resource in old.resources}
    for resource in new.resources:
        _make_or_change(engines, before.get(resource.path), resource)
    after = {resource.path for resource in new.resources}
    gone = [resource for resource in old.resources if resource.path not in after and not resource.survives]
    for resource in reversed(gone):
        if kind := KINDS.get(resource.type):
            kind.delete(engines, resource)
    return gone


def _make_or_change(engines: Engines, old: PlannedResource | None, new: PlannedResource) -> None:
    kind = KINDS.get(new.type)
    if kind is None or (old and old.properties == new.properties):
        return
    if old is None:
        kind.create(engines, new)
    elif kind.change and old.name == new.name:
        kind.change(engines, new)
    else:
        raise UnsupportedError(f"{new.path}: the rehearsal does not know how this change is deployed")
