"""The function `turn-worker`: processes the queue `turns`. It calls models in its own process, as a library."""

import threading
from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, each_message
from callmissed.aws.queues import Sending
from callmissed.aws.runtime import logs_failures, run
from callmissed.clock import Clock, system_clock
from callmissed.observability import get_logger
from callmissed.sealing import Sealer
from callmissed_ai.calls.container import Container, create_container
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.queue import MessageQueue
from functions.bots.outbound.sending import MessageSender
from functions.bots.sealed_composition import compose_sealed
from functions.bots.turns.endings import Endings
from functions.bots.turns.leases import Leases
from functions.bots.turns.receipts import Receipts
from functions.bots.turns.thinking import Thinker
from functions.bots.turns.turn import Turns
from functions.bots.turns.worker import TurnWorker

_logger = get_logger("turn-worker")
_creating = threading.Lock()  # the local stack calls the handler from several threads


def create_worker(
    container: Container, graph: GraphClient, sealer: Sealer, queue: Sending, clock: Clock = system_clock
) -> TurnWorker:
    """The worker of one process, which opens no connection before its first job."""
    database = container.database
    leases = Leases(database, clock)
    attempts = SendAttempts(database, graph, sealer, clock=clock)
    sender, waiting = MessageSender(attempts), MessageQueue(attempts, queue)
    turns = Turns(database, leases, Thinker(container), sender, Receipts(graph, sealer), clock)
    return TurnWorker(
        leases, turns, Endings(database, clock), sender, waiting, ConversationRepository(database), queue, clock
    )


@logs_failures("turn-worker")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Process a batch of jobs in parallel."""
    with _creating:
        worker = _worker()
    return run(each_message(event, worker.process, _logger))


@cache
def _worker() -> TurnWorker:
    composition = compose_sealed()
    settings = composition.settings
    graph = GraphClient(settings.graph_url, composition.http)
    return create_worker(create_container(settings), graph, composition.sealer, composition.turns)
