"""`cdk synth` starts here: all stacks of one stage, checked by cdk-nag while they are synthesised."""

from collections.abc import Mapping, Sequence

from aws_cdk import App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from callmissed.platform.routes import ROUTES, Route
from infra.config import StageConfig, from_context
from infra.stacks.api import ApiStack
from infra.stacks.data import DataStack
from infra.stacks.events import EventsStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.workers import WorkersStack


def build(app: App, config: StageConfig, routes: Sequence[Route] = ROUTES) -> Mapping[str, Stack]:
    """Add the stacks of one stage to `app`. Raises RouteTableError for routes that API Gateway could not serve."""
    Tags.of(app).add("callmissed:stage", config.stage)
    add_checks(app)
    data = DataStack(app, config)
    events = EventsStack(app, config)
    api = ApiStack(app, config, data.stores, events.channels, routes)
    workers = WorkersStack(app, config, data.stores, events)
    observability = ObservabilityStack(app, config, api, events, workers)
    return {"data": data, "events": events, "api": api, "workers": workers, "observability": observability}


def add_checks(app: App) -> None:
    """Let `app.synth()` fail on a finding of cdk-nag without an acceptance."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


def main() -> None:
    """Synthesise the stage that the context names."""
    app = App()
    build(app, from_context(app.node))
    app.synth()


if __name__ == "__main__":
    main()
