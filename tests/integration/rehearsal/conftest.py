"""One synthesis with the real bundles for the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.run import check
from rehearsal.stage.engines import Engines, running_engines
from rehearsal.templates.assembly import CloudAssembly, read_assembly
from rehearsal.templates.plan import DeploymentPlan
from rehearsal.templates.synthesis import synthesise
from tests.support.rehearsal.engines import holding_only


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the stage of the rehearsal and its update, as they are synthesised."""
    folder = tmp_path_factory.mktemp("rehearsal")
    synthesise(folder, "every-setting", "updated")
    return folder


@pytest.fixture(scope="session")
def stage_assembly(assemblies: Path) -> CloudAssembly:
    """The stage of the rehearsal."""
    return read_assembly(assemblies / "every-setting")


@pytest.fixture(scope="session")
def updated_assembly(assemblies: Path) -> CloudAssembly:
    """The same stage with another revision."""
    return read_assembly(assemblies / "updated")


@pytest.fixture(scope="session")
def stage_plan(stage_assembly: CloudAssembly) -> DeploymentPlan:
    """Its plan."""
    return check(stage_assembly)


@pytest.fixture(scope="session")
def engine_pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engines, Engines]]:
    """Two pairs of running engines: one for the tests of a module, one for single tests."""
    with (
        running_engines(tmp_path_factory.mktemp("engines")) as first,
        running_engines(tmp_path_factory.mktemp("engines")) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def engines(engine_pairs: tuple[Engines, Engines], stage_plan: DeploymentPlan) -> Engines:
    """The stage's resources, in engines that hold nothing else."""
    return holding_only(stage_plan, engine_pairs[0])


@pytest.fixture
def fresh_engines(engine_pairs: tuple[Engines, Engines], stage_plan: DeploymentPlan) -> Engines:
    """The same for one test."""
    return holding_only(stage_plan, engine_pairs[1])
