"""What every test may use: one DynamoDB for the session, fresh tables, and no network beyond loopback."""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from hypothesis import core, is_hypothesis_test

from callmissed.aws.dynamodb import DynamoDB
from callmissed.ids import new_id
from local.aws.engines import dynamodb_local, moto_server
from local.aws.services import StageServices, create_services
from local.aws.tables import StageTables, create_tables
from tests.support.aws.tables_on_demand import TablesOnDemand, delete_tables
from tests.support.local_stack import LocalStack, running

_PROPERTIES = Path(__file__).with_name("properties")
LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]

# Emulators accept any credentials; without these, botocore would look for real ones on the machine.
for variable in [name for name in os.environ if name.startswith(("AWS_", "CALLMISSED_"))]:
    del os.environ[variable]
os.environ.update(
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",
    AWS_REGION="us-east-1",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)


SESSION_STACKS = {
    "assembly": "assembly",
    "large_assembly": "assembly",
    "local_stack": "local_stack",
    "stack": "stack",
    "stage_assembly": "bundle",
}
"""Fixtures that take seconds to start: all tests that use one run in the worker of its group."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the properties here unless one was given, so that all workers have the same."""
    seed: str | int | None = config.getoption("--hypothesis-seed")
    if seed is None:
        config.option.hypothesis_seed = seed = secrets.randbits(32)
    core.global_force_seed = int(seed)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Let every test reach this machine and nothing else, and keep the tests of one session-wide stack together.

    What random examples reach counts for no coverage: a line is covered by tests that are the same in each run. And
    tracing doubles the time of such a test.

    Runs around xdist's hook, which writes the groups into names of tests where pytest since 9.2 does not look.
    """
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
        if is_hypothesis_test(getattr(item, "function", None)) or _PROPERTIES in item.path.parents:
            item.add_marker(pytest.mark.no_cover)
        for name, group in SESSION_STACKS.items():
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(group))
    yield
    for item in items:
        if with_group := getattr(item, "_nodeid", ""):
            item._id = NodeId.parse(with_group)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seed, also of a run that passed, and the seconds that each folder's tests took."""
    terminalreporter.write_line(f"properties: --hypothesis-seed={core.global_force_seed}")
    seconds: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        folder = Path(report.nodeid.partition("::")[0]).parent
        seconds["/".join(folder.parts[1:4])] += report.duration
    rows = [f"{folder} {round(taken)} s" for folder, taken in seconds.most_common(12) if taken >= 1]
    terminalreporter.write_line(f"test seconds: {', '.join(rows)}; {round(seconds.total())} s in all")


@pytest.fixture(scope="session")
def dynamodb_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of one DynamoDB Local, in memory, for the whole session."""
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb") / "dynamodb.log") as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def new_tables(dynamodb_endpoint: str) -> Callable[[], StageTables]:
    """Makes the platform's tables, empty, in a stage that nobody else uses."""

    def make() -> StageTables:
        store = StageTables(dynamodb_endpoint, new_id("test"))
        create_tables(store)
        return store

    return make


@pytest.fixture
def all_tables(new_tables: Callable[[], StageTables]) -> Iterator[StageTables]:
    """Fresh tables for one test, also for boto3 and for other processes: all exist from the start."""
    store = new_tables()
    yield store
    delete_tables(store)


@pytest.fixture(scope="session")
def tables_on_demand(dynamodb_endpoint: str) -> Iterator[TablesOnDemand]:
    """Stages whose tables `DynamoDB`, and no other client, creates when a request first names one."""
    on_demand = TablesOnDemand(dynamodb_endpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoDB, "send", on_demand.creating(DynamoDB.send))
        yield on_demand


@pytest.fixture
def tables(tables_on_demand: TablesOnDemand) -> Iterator[StageTables]:
    """Fresh tables for one test, created on demand."""
    stage = tables_on_demand.new_stage()
    yield stage
    tables_on_demand.drop(stage)


@pytest.fixture(scope="module")
def module_tables(tables_on_demand: TablesOnDemand) -> Iterator[StageTables]:
    """Fresh tables for the tests of one module, created on demand."""
    stage = tables_on_demand.new_stage()
    yield stage
    tables_on_demand.drop(stage)


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of one moto server for the whole session: SQS, EventBridge and S3."""
    with moto_server(tmp_path_factory.mktemp("aws") / "aws.log") as endpoint:
        yield endpoint


@pytest.fixture
def services(aws_endpoint: str) -> StageServices:
    """The platform's queues, bus and bucket, empty, in a stage that nobody else uses."""
    services = StageServices(aws_endpoint, new_id("test").replace("_", "-"))
    create_services(services)
    return services


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The whole local stack as `make dev` runs it, for tests that leave its tenant and keys as they are."""
    folder = tmp_path_factory.mktemp("local_stack")
    with running(folder / "state", folder / "output") as local_stack:
        yield local_stack
