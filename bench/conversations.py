"""`make cost`, the fourth part: USD per million of what happens in conversations on WhatsApp, without AI and Meta.

Each is made of the real functions on DynamoDB Local and the stand-in for Graph, and its round trips and units are
counted. How long Lambda is busy, and what goes through queues and the bus, are in `bench/prices.toml`.
"""

import asyncio
import tomllib
from collections.abc import Sequence

from bench.cost import DOCUMENT, PRICES, Meter, Prices, between_markers
from bench.ours import REGION
from bench.steps import CountedStep, Step, fresh_tables, render
from bench.whatsapp.concurrency import Functions
from bench.whatsapp.scenario import Customer, Shop, customers, open_shops
from callmissed.aws.database import Database
from callmissed.clock import system_clock
from callmissed.platform.functions.bots import BOTS_API, TURN_WORKER, WHATSAPP_INBOUND
from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions
from tests.support.bots.bots_api import BotsApi
from tests.support.bots.write_units import UnitCountingDynamoDB

_TABLES = ("bots", "conversations", "messages", "outbox")


STEPS = (
    Step("first text of an end user, stored", "first_message", WHATSAPP_INBOUND),
    Step("further text, stored", "message", WHATSAPP_INBOUND),
    Step("status, applied", "status", WHATSAPP_INBOUND),
    Step("answered turn, without its call of a model", "turn", TURN_WORKER),
    Step("text sent through the API", "api_send", BOTS_API, requested=True),
)


class _Counting(UnitCountingDynamoDB):
    """Counts the requests of conversations, without those of the billed call, by AWS's rules."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(REGION, endpoint, *_TABLES)
        self._meter = Meter()
        self._observe = self._meter.count

    def reset(self) -> None:
        """Begin again at nothing."""
        self.requests.clear()
        self._meter.reset()

    def taken(self, step: Step) -> CountedStep:
        """What was counted since the last call."""
        counted = CountedStep(step, self.round_trips, self.write_units, self._meter.read_units)
        self.reset()
        return counted


async def count_all(tables: StageTables) -> list[CountedStep]:
    """Count every step, in one conversation. The second turn is counted: the first one counts the conversation too."""
    meter = _Counting(tables.endpoint)
    with FakeGraph(options=GraphOptions()).serving() as graph:
        functions = Functions(tables, graph, new_client=lambda: meter)
        try:
            (shop,) = await open_shops(functions.database, graph, functions.clock, 1)
            (customer,) = customers(graph, [shop], 1)
            return [*await _inbound(functions, customer, meter), await _sent(tables, graph, shop, customer)]
        finally:
            await functions.close()


async def _inbound(functions: Functions, customer: Customer, meter: _Counting) -> list[CountedStep]:
    first, further, status, turn, _ = STEPS
    counted: list[CountedStep] = []
    for step in (first, further):
        customer.phone.say(f"What does a {step.name} cost?")
        await functions.bring()
        meter.reset()
        await functions.store()
        counted.append(meter.taken(step))
        await functions.answer()
        answered = meter.taken(turn)
        statuses = await functions.bring()
        meter.reset()
        await functions.store()
        applied = meter.taken(status).shared(statuses)
    return [*counted, applied, answered]


async def _sent(tables: StageTables, graph: FakeGraph, shop: Shop, customer: Customer) -> CountedStep:
    meter, step = _Counting(tables.endpoint), STEPS[-1]
    api = BotsApi(Database(meter, tables.stage), graph_url=f"{graph.url}/v24.0")
    api.clock.now = system_clock()
    body = {"phone_number_id": shop.number_id, "to": customer.phone.user.wa_id, "text": "Hello"}
    try:
        answer = await api.tenant(shop.tenant).call("POST", "/api/v1/whatsapp/messages", json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"{step.title}: {answer.status_code}: {answer.text[:500]}")
        return meter.taken(step)
    finally:
        await api.close()
        await meter.close()


def rendered(counted: Sequence[CountedStep]) -> str:
    """The table, by the price file."""
    table = tomllib.loads(PRICES.read_text())
    return render(counted, {name: Prices(**row) for name, row in table["regions"].items()}, table["conversations"])


def main() -> None:
    """Count, print, and put the table into docs/cost.md."""
    with fresh_tables("conversations") as tables:
        counted = asyncio.run(count_all(tables))
    table = rendered(counted)
    DOCUMENT.write_text(between_markers(DOCUMENT.read_text(), table, "conversations"))
    print(table)


if __name__ == "__main__":
    main()
