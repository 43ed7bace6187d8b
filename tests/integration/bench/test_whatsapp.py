"""A tenth of the soak of WhatsApp's conversations, and of the conversations at once."""

from collections.abc import Callable

import pytest

from bench.delivery.worker import ENVIRONMENT
from bench.whatsapp import concurrency
from bench.whatsapp.soak import WhatsAppSoakLoad, soak
from local.aws.tables import StageTables


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


async def test_nothing_is_lost_sent_twice_or_charged_twice(new_tables: Callable[[], StageTables]) -> None:
    found = await soak(WhatsAppSoakLoad(200, 20, seed=1), new_tables())
    assert found.audit.wrong == [], found.log[-4000:]
    assert found.audit.said == 200
    assert found.audit.sent >= 20
    assert found.deaths >= 3
    assert found.faults >= 20


async def test_no_conversation_waits_for_the_slow_model_of_another(new_tables: Callable[[], StageTables]) -> None:
    found = await concurrency.measure(new_tables(), 20)
    assert len(found.others) == 19
    assert found.waiting == 0
