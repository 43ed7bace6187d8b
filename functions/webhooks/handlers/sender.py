"""The function `webhook-sender`: processes jobs. It has its own role, no VPC, and reaches public addresses only."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.runtime import logs_failures, run
from callmissed.aws.secrets import sealing_ring
from callmissed.clock import system_clock
from callmissed.http.client import SafeClient
from callmissed.observability import get_logger
from callmissed.sealing import Sealer
from functions.webhooks.composition import compose
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.attempts import Attempts
from functions.webhooks.delivery.dispatch import Dispatcher
from functions.webhooks.delivery.jobs import AttemptJob, ParkedJob, ReplayJob
from functions.webhooks.delivery.parking import Drain, Probe
from functions.webhooks.replays.runner import Replayer
from functions.webhooks.storage.records import Endpoint

_logger = get_logger("webhook-sender")


class Sender:
    """Processes the jobs of the queue."""

    def __init__(self, dispatcher: Dispatcher, replayer: Replayer) -> None:
        self._dispatcher = dispatcher
        self._replayer = replayer

    async def process(self, received: Received) -> None:
        """Process one job. Exceptions propagate so that SQS redelivers the job."""
        match jobs.parse(received.body):
            case AttemptJob() as job:
                await self._dispatcher.process(job, redelivered=received.redelivered)
            case ParkedJob(endpoint):
                await self._process_parked(endpoint)
            case ReplayJob() as job:
                await self._replayer.run(job)

    async def _process_parked(self, endpoint: Endpoint) -> None:
        parking = self._dispatcher.parking
        match await parking.drain_or_probe(endpoint):
            case Drain() as drain:
                await parking.drain(drain)
            case Probe(delivery):
                if job := await parking.release(delivery):
                    await self._dispatcher.process(job)
            case None:
                pass


@logs_failures("webhook-sender")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Process a batch of jobs in parallel."""
    return run(each_message(event, _sender().process, _logger))


@cache
def _sender() -> Sender:
    composition = compose()
    settings, repository, queue = composition.settings, composition.repository, composition.jobs
    client = SafeClient(allow_loopback=settings.allow_loopback)
    attempts = Attempts(client, Sealer(sealing_ring(settings)), system_clock)
    dispatcher = Dispatcher(repository, queue, attempts, system_clock)
    return Sender(dispatcher, Replayer(repository, queue, system_clock))
