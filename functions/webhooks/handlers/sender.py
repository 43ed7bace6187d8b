"""The sender: works off the queue of orders. It has a role of its own, no VPC, and reaches public addresses only."""

from functools import cache
from typing import Any

from callmissed.batches import Failures, Received, each_message
from callmissed.clock import system_clock
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from callmissed.runtime import run
from functions.webhooks.composition import compose
from functions.webhooks.delivery.attempts import Attempts
from functions.webhooks.delivery.dispatch import Dispatcher, Order
from functions.webhooks.replays.runner import Replayer
from functions.webhooks.storage.records import Endpoint

_logger = get_logger("webhook-sender")


class Sender:
    """Carries out whatever the queue orders."""

    def __init__(self, dispatcher: Dispatcher, replayer: Replayer) -> None:
        self._dispatcher = dispatcher
        self._replayer = replayer

    async def carry_out(self, received: Received) -> None:
        """Carry out one order. Raises what keeps it from being carried out; it must then come again."""
        body = received.body
        endpoint = Endpoint(body["t"], body["w"])
        match body["do"]:
            case "attempt":
                order = Order(body["d"], body["e"], body["n"], again=received.again)
                await self._dispatcher.carry_out(endpoint, order)
            case "lane":
                await self._dispatcher.lanes.look(endpoint, self._dispatcher.probe)
            case "replay":
                await self._replayer.go_on(endpoint, body["r"])
            case unknown:
                raise ValueError(f"nobody knows how to {unknown!r}")


def handler(event: dict[str, Any], _context: object) -> Failures:
    """Carry out a batch of orders, all at once."""
    return run(each_message(event, _sender().carry_out, _logger))


@cache
def _sender() -> Sender:
    composition = compose()
    store, queue = composition.repository, composition.jobs
    client = SafeClient(allow_loopback=composition.settings.allow_loopback)
    attempts = Attempts(client, composition.sealer, system_clock)
    dispatcher = Dispatcher(store, queue, attempts, system_clock)
    return Sender(dispatcher, Replayer(store, queue, system_clock))
