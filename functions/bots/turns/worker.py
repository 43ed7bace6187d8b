"""The worker of the queue `turns`: looks at the conversation that a job names, and does what it waits for."""

from callmissed.aws.batches import Received
from callmissed.aws.queues import QueueUnavailable
from callmissed.aws.queues import Sending as JobQueue
from callmissed.clock import Clock
from callmissed.observability import get_logger
from functions.bots.conversations.jobs import SendJob, TurnJob, parse
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import StoredConversation, TurnState
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.outbound.queue import MessageQueue
from functions.bots.outbound.sending import MessageSender
from functions.bots.turns.endings import EndedTurn, Endings, TurnOutcome, skipped
from functions.bots.turns.leases import Abandoned, Idle, Later, Leased, Leases, Unanswerable
from functions.bots.turns.thinking import NotNow
from functions.bots.turns.turn import MAX_TURN, Turns

_AGAIN_SECONDS = 5
_QUIET_SECONDS = 3
_QUEUE_SECONDS = 10.0
"""How long a worker that could not end its turn sends the messages for which the turn waits."""

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
            case Unanswerable(conversation, reason) if conversation.lease:
                leased = Leased(conversation, conversation.lease, resumes=True)
                await self._end(await self._turns.broken_off(leased, TurnOutcome(TurnState.SKIPPED, reason)))
            case Unanswerable(conversation, reason):
                await self._endings.write(skipped(conversation, reason, self._clock()))
            case Later(seconds):
                await self._enqueue(job, seconds)
            case Idle(conversation) if conversation:
                await self._settle(job, conversation)
            case Abandoned() | Idle():
                pass

    async def _run(self, leased: Leased) -> None:
        try:
            ended = await self._turns.run(leased)
        except NotNow as not_now:
            await self._postpone(leased, not_now.reason)
        except Exception:
            await self._postpone(leased, Reason.INTERNAL_ERROR)
            raise
        else:
            if ended:
                await self._end(ended)

    async def _postpone(self, leased: Leased, reason: Reason) -> None:
        """Leave the turn to another worker, soon; one that was tried for too long fails."""
        suspended = await self._leases.suspend(leased)
        if suspended is None:
            return
        conversation = suspended.conversation
        if self._clock() - suspended.began > MAX_TURN and conversation.claim is None:
            await self._end(await self._turns.broken_off(suspended, TurnOutcome(TurnState.FAILED, reason)))
            return
        if conversation.queued and reason is Reason.CONVERSATION_BUSY:  # nobody else may be sending what waits
            await self._waiting.work_for(conversation, _QUEUE_SECONDS)
        await self._enqueue(TurnJob(conversation.tenant, conversation.id), _AGAIN_SECONDS)

    async def _end(self, ended: EndedTurn) -> None:
        if await self._endings.write(ended):
            await self._enqueue(TurnJob(ended.conversation.tenant, ended.conversation.id), _QUIET_SECONDS)
        await self._endings.settle_early(ended)

    async def _settle(self, job: TurnJob, conversation: StoredConversation) -> None:
        """What the scheduler finds due beside turns: messages of which nobody knows, those that wait, and nothing."""
        if not conversation.is_busy and not conversation.pending:
            await self._conversations.leave_due(conversation)
        elif job.message_id is None and conversation.is_busy:
            await self._waiting.work(conversation)

    async def _enqueue(self, job: TurnJob, seconds: int) -> None:
        """Send the job; the scheduler sends it if this fails, because the conversation is due."""
        try:
            await self._queue.send([job.message(seconds)])
        except QueueUnavailable:
            _logger.warning("left to the scheduler", extra={"conversation": job.conversation_id})
