"""AWS's descriptions of its services, which each mocked account would read anew, are read once."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader


@pytest.fixture(scope="session", autouse=True)
def descriptions_of_services() -> Iterator[None]:
    """A mocked account begins with a boto3 session of its own, which reads for longer than a test takes."""
    loader = JSONFileLoader()
    load = loader._load_file  # pyright: ignore[reportAttributeAccessIssue]

    @cache
    def loaded(path: str, opened: Callable[..., Any]) -> Any:
        return load(path, opened)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "_load_file", lambda _, path, opened: loaded(path, opened))
        yield
