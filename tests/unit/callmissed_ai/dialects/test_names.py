"""The names of dialects that a provider's row may give are packages."""

from importlib.util import find_spec
from typing import get_args

import pytest

from callmissed.catalog.model import DialectName


@pytest.mark.parametrize("name", get_args(DialectName))
def test_dialect_has_its_package(name: str) -> None:
    found = find_spec(f"callmissed_ai.dialects.{name}")

    assert found is not None
    assert found.submodule_search_locations
