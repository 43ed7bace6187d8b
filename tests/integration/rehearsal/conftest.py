"""One synthesis with the real bundles for the session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.run import check
from rehearsal.stage.engines import Engines, create_resources, running_engines
from rehearsal.templates.assembly import CloudAssembly, read_assembly
from rehearsal.templates.plan import DeploymentPlan
from rehearsal.templates.synthesis import synthesise


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
    """The stage's resources, in engines of their own."""
    with running_engines(tmp_path_factory.mktemp("engines")) as engines:
        create_resources(engines, stage_plan)
        yield engines


@pytest.fixture
def fresh_engines(tmp_path_factory: pytest.TempPathFactory, stage_plan: DeploymentPlan) -> Iterator[Engines]:
    """The same for one test."""
    with running_engines(tmp_path_factory.mktemp("engines")) as engines:
        create_resources(engines, stage_plan)
        yield engines
