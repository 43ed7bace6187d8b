"""`cdk synth` starts here: all stacks of one stage, checked by cdk-nag while they are synthesised."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from aws_cdk import App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.config import ConfigError, StageConfig, from_context
from infra.declarations import PRODUCT, Declarations
from infra.stacks.api import ApiStack
from infra.stacks.data import DataStack
from infra.stacks.events import EventsStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.workers import WorkersStack


def build(app: App, config: StageConfig, declared: Declarations = PRODUCT) -> Mapping[str, Stack]:
    """Add the stacks of one stage to `app`. Raises RouteTableError for routes that API Gateway could not serve."""
    Tags.of(app).add("callmissed:stage", config.stage)
    add_checks(app)
    data = DataStack(app, config, declared)
    events = EventsStack(app, config, declared)
    api = ApiStack(app, config, declared)
    workers = WorkersStack(app, config, declared, data.streams)
    observability = ObservabilityStack(app, config, declared)
    stacks = {"data": data, "events": events, "api": api, "workers": workers, "observability": observability}
    _deploy_in_order(list(stacks.values()))
    return stacks


def _deploy_in_order(stacks: Sequence[Stack]) -> None:
    """Let each stack wait for those before it: it uses their resources by name, which the CDK does not see."""
    for before, after in pairwise(stacks):
        after.add_dependency(before)


def add_checks(app: App) -> None:
    """Let `app.synth()` fail on a finding of cdk-nag without an acceptance."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


def main() -> None:
    """Synthesise the stage that the context names."""
    app = App()
    try:
        config = from_context(app.node)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    build(app, config)
    app.synth()


if __name__ == "__main__":
    main()
