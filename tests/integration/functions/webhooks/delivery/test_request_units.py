"""What deliveries take of DynamoDB, and what the benchmark's soak counts of them."""

import pytest

from bench.delivery import steps
from bench.delivery.soak import SoakLoad, soak
from bench.delivery.steps import Steps
from bench.delivery.units import Units
from local.aws.tables import StageTables


async def test_a_delivery_takes_four_writes_and_six_round_trips(tables: StageTables) -> None:
    found = await Steps(tables).count()

    delivered = found[steps.EVENT] + found[steps.FANOUT] + found[steps.DELIVERED]
    assert delivered == Units(round_trips=6, table_writes=4, index_writes=0, reads=3.5)
    assert found[steps.LATER] == Units(round_trips=4, table_writes=3, index_writes=2, reads=2.5)
    assert found[steps.SCHEDULED] == Units(round_trips=1, table_writes=1, index_writes=2, reads=0.5)
    assert found[steps.PARKED].writes == 3
    assert found[steps.DRAINED].writes == pytest.approx(6, abs=0.1)
    assert found[steps.TEN].writes == sum((4, 5, 7 * (5 + 3), 4))


async def test_a_soak_counts_deaths_and_duplicates_and_loses_nothing(tables: StageTables) -> None:
    found = await soak(SoakLoad(tables.endpoint, tables.stage, 100, seed=3))

    assert found.lost == 0
    assert found.deaths >= 2
    assert found.steps >= 100 * 12
    assert found.attempts >= 100 + found.duplicates
    assert 0 <= found.duplicates <= 10 * found.deaths
