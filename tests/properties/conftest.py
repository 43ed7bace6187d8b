"""Hypothesis profiles for the properties, and one event loop for the session.

`fast` is what `make test` runs; `deep` takes minutes and is for changes to the ledger or the keys:

    make soak NAME=properties

Every run prints its seed. To run the same examples again, in the same order:

    pytest tests/properties --hypothesis-seed=<seed>

A failure also prints a `@reproduce_failure(...)` line, which repeats the one example that failed.
"""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from callmissed.aws import dynamodb as client
from tests.support.faults import FaultyDynamoDB

_SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]

settings.register_profile(
    "fast",
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining a failure takes longer than finding it
    suppress_health_check=_SLOW,
)
settings.register_profile("deep", settings.get_profile("fast"), max_examples=500, stateful_step_count=60)
if settings.get_current_profile_name() != "deep":  # where CI is set, Hypothesis has chosen a profile of its own
    settings.load_profile("fast")


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that synchronous tests, such as state machines, run their coroutines on."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once: what is tested is their order, not their patience."""
    monkeypatch.setattr(client, "_BACKOFF_SECONDS", 0.0)


@pytest.fixture
def dynamodb(loop: asyncio.AbstractEventLoop, dynamodb_endpoint: str) -> Iterator[FaultyDynamoDB]:
    """A client that does as its faults say."""
    faulty = FaultyDynamoDB(dynamodb_endpoint)
    yield faulty
    loop.run_until_complete(faulty.close())
