"""One synthesis with the real bundles for the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.run import check
from rehearsal.stage.engines import Engines, create_resources, running_engines
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


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, stage_plan: DeploymentPlan) -> Iterator[Engines]:
    """The stage's resources, in engines of their own: functions that run may still poll them when their test ends."""
    with running_engines(tmp_path_factory.mktemp("engines")) as engines:
        create_resources(engines, stage_plan)
        yield engines


@pytest.fixture(scope="session")
def spare_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Engines that no function polls."""
    with running_engines(tmp_path_factory.mktemp("engines")) as engines:
        yield engines


@pytest.fixture
def fresh_engines(spare_engines: Engines, stage_plan: DeploymentPlan) -> Engines:
    """The stage's resources and nothing else, for one test that runs no functions."""
    return holding_only(stage_plan, spare_engines)
