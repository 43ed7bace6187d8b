"""One synthesis for the session; tests look at its templates as plain data."""

from pathlib import Path

import pytest

from infra.declarations import Declarations
from tests.support.assembly import EVERY_OPTION, Assembly, synthesised
from tests.support.route_tables import LARGE_TABLE


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one worker, which imports the CDK and makes its first synthesis: seconds for each.

    Tests of bundles have a group of their own.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("assembly"))


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """All stacks of a stage, without real bundles. Synthesis itself fails on any finding of cdk-nag."""
    return synthesised(tmp_path_factory.mktemp("cdk.out"), Declarations())


@pytest.fixture(scope="session")
def optional_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The same with every option."""
    return synthesised(tmp_path_factory.mktemp("cdk-optional.out"), Declarations(), **EVERY_OPTION)


@pytest.fixture(scope="session")
def large_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The same with 260 routes."""
    return synthesised(tmp_path_factory.mktemp("cdk-large.out"), Declarations(routes=LARGE_TABLE))
