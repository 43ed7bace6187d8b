"""Fixtures of the tests of plans."""

import pytest

from callmissed.plans.plans import Plan
from tests.support.keys.fixtures import key_store
from tests.support.keys.key_store import KeyStore
from tests.support.subscribers import NewSubscriber, PlanClock, Subscriber

__all__ = ["key_store"]


@pytest.fixture
def new_subscriber(key_store: KeyStore) -> NewSubscriber:
    """Makes a tenant on a plan."""

    async def make(plan: Plan) -> Subscriber:
        return Subscriber(await key_store.tenant(plan), key_store, PlanClock())

    return make
