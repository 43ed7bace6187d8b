"""The worker of the queue `turns`: looks at the conversation that a job names, and does what it waits for."""

from callmissed.aws.batches import Received
from callmissed.aws.queues import QueueUnavailable
from callmissed.aws.queues import Sending as JobQueue
from callmissed.clock import Clock
from callmissed.observability import get_logger
from functions.bots.conversations.jobs import SendJob, TurnJob, parse
from functions.bots.conversations.records import StoredConversation
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.outbound.queue import MessageQueue
from functions.bots.outbound.sending import MessageSender
from functions.bots.turns.endings import Endings, skipped
from functions.bots.turns.leases import Abandoned, Idle, Later, Leased, Leases, Unanswerable
from functions.bots.turns.thinking import NotNow
from functions.bots.turns.turn import Turns

_AGAIN_SECONDS = 5
_QUIET_SECONDS = 3
_logger = get_logger("turn-worker")


class TurnWorker:
    """Processes jobs. What a job can't do now, a later one does: the index `due` names what waits."""

    def __init__(
        self,
        leases: Leases,
        turns: Turns,
        endings: Endings,
        sender: MessageSender,
        waiting: MessageQueue,
        conversations: ConversationRepository,
        queue: JobQueue,
        clock: Clock,
    ) -> None:
        self._leases = leases
        self._turns = turns
        self._endings = endings
        self._sender = sender
        self._waiting = waiting
        self._conversations = conversations
        self._queue = queue
        self._clock = clock

    async def process(self, received: Received) -> None:
        """Process one job. Raises Unavailable, so that SQS redelivers the job."""
        match parse(received.body):
            case TurnJob() as job:
                await self._answer(job)
            case SendJob(tenant, conversation_id):
                if conversation := await self._conversations.get(tenant, conversation_id):
                    await self._waiting.work(conversation)

    async def _answer(self, job: TurnJob) -> None:
        found = await self._leases.take(job)
        if isinstance(found, Abandoned):
            await self._sender.settle_unknown(found.conversation)
            found = await self._leases.take(job)
        match found:
            case Leased():
                await self._run(found)
            case Unanswerable(conversation, reason):
                await self._endings.write(skipped(conversation, reason, self._clock()))
            case Later(seconds):
                await self._enqueue(job, seconds)
            case Idle(conversation) if conversation:
                await self._settle(job, conversation)
            case Abandoned() | Idle():
                pass

    async def _run(self, leased: Leased) -> None:
        conversation = leased.conversation
        again = TurnJob(conversation.tenant, conversation.id)
        try:
            ended = await self._turns.run(leased)
        except NotNow:
            await self._leases.suspend(leased)
            await self._enqueue(again, _AGAIN_SECONDS)
            return
        if ended is None:
            return
        if await self._endings.write(ended):
            await self._enqueue(again, _QUIET_SECONDS)
        if ended.unsettled:
            await self._endings.settle_early(ended)

    async def _settle(self, job: TurnJob, conversation: StoredConversation) -> None:
        """What the scheduler finds due beside turns: messages of which nobody knows, and those that wait."""
        if job.message_id is None and (conversation.unsettled or conversation.queued):
            await self._waiting.work(conversation)

    async def _enqueue(self, job: TurnJob, seconds: int) -> None:
        """Send the job; the scheduler sends it if this fails, because the conversation is due."""
        try:
            await self._queue.send([job.message(seconds)])
        except QueueUnavailable:
            _logger.warning("left to the scheduler", extra={"conversation": job.conversation_id})
