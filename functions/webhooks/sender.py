"""The sender: works off the queue of orders. It has a role of its own, no VPC, and reaches public addresses only."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import SqsQueue
from callmissed.aws.runtime import run
from callmissed.clock import system_clock
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from callmissed.platform.queues import DISPATCH
from callmissed.sealing import Sealer
from callmissed.settings import from_environment
from functions.webhooks.attempts import Attempts
from functions.webhooks.dispatch import Dispatcher, Order
from functions.webhooks.records import Endpoint
from functions.webhooks.replaying import Replayer
from functions.webhooks.store import Store

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
    settings = from_environment()
    store = Store(Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage))
    queue = SqsQueue(settings, DISPATCH)
    client = SafeClient(allow_loopback=settings.allow_loopback)
    attempts = Attempts(client, Sealer(settings.sealing_ring), system_clock)
    dispatcher = Dispatcher(store, queue, attempts, system_clock)
    return Sender(dispatcher, Replayer(store, queue, system_clock))
