"""How callbacks reach the business: grouped, signed, posted, and posted again until they are answered with 200."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from local.fakes.graph.callbacks import CallbackUpdate, SignedCallback, signed
from local.fakes.graph.faults import FaultKind
from local.fakes.graph.state import GraphState

_TIMEOUT_SECONDS = 20
_OK = 200

UpdateGroup = list[CallbackUpdate]


class CallbackSender:
    """Sends updates to the callback URL of their account, or keeps them for `take` where there is none.

    Updates of one user go out in order; their repetitions, as at Meta, go out when they are due. `accepted` is called
    with updates that were answered with 200.
    """

    def __init__(self, state: GraphState, accepted: Callable[[Sequence[CallbackUpdate]], None]) -> None:
        self.attempts: list[tuple[tuple[str, ...], int]] = []
        self._state = state
        self._accepted = accepted
        self._changed = threading.Condition()
        self._kept: list[SignedCallback] = []
        self._late: UpdateGroup = []
        self._merging: UpdateGroup = []
        self._pending = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._order: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Post from the running loop."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """End what is under way."""
        self._loop = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def put(self, update: CallbackUpdate) -> None:
        """Send `update`, with the callbacks' faults. From any thread."""
        with self._changed:
            if not update.account.subscribed:
                return
            for group in self._groups(update):
                self._dispatch(group)
            if self._late or self._merging:
                self.later(self._state.options.hold_seconds, self.flush)

    def take(self) -> list[SignedCallback]:
        """The callbacks that were kept, in the order in which Meta would send them. The caller posts them."""
        self.flush()
        with self._changed:
            kept, self._kept = self._kept, []
        return kept

    def flush(self) -> None:
        """Send what waits for an update that could come before it or with it."""
        with self._changed:
            merging, self._merging = self._merging, []
            late, self._late = self._late, []
            for group in (*_by_app(merging), *([update] for update in late)):
                self._dispatch(group)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after `seconds`; at once for zero. While the stand-in does not serve, nothing waits."""
        if seconds <= 0:
            action()
            return

        async def wait() -> None:
            await asyncio.sleep(seconds)
            action()

        self._spawn(wait())

    def wait_idle(self, seconds: float = 30) -> None:
        """Wait until all callbacks and statuses are sent, or given up. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pending == 0, seconds):
                raise TimeoutError(f"{self._pending} callbacks are still under way")

    async def verifies(self, url: str, verify_token: str) -> bool:
        """Whether the business's URL returns Meta's challenge for its verify token."""
        if self._session is None:
            return False
        challenge = self._state.new_id()
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            async with self._session.get(url, params=query) as answer:
                return answer.status == _OK and await answer.text() == challenge
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False

    def _groups(self, update: CallbackUpdate) -> Iterator[UpdateGroup]:
        user = self._state.user(update.user)
        hits = self._state.faults.hit("callback", update.name, *(user.ids if user else (update.user,)))
        kinds = {fault.kind for fault in hits}
        if FaultKind.REORDER in kinds:
            self._late.append(update)
            return
        self._merging.append(update)
        if FaultKind.REGROUP in kinds:
            return
        groups, self._merging = _by_app(self._merging), []
        yield from groups
        if FaultKind.DUPLICATE in kinds:
            yield [update]
        late, self._late = self._late, []
        yield from ([each] for each in late)

    def _dispatch(self, group: UpdateGroup) -> None:
        if group[0].account.callback_url:
            self._spawn(self._deliver(group))
        else:
            self._kept.append(signed(group))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._loop
        if loop is None:
            work.close()
            return
        with self._changed:
            self._pending += 1
        loop.call_soon_threadsafe(self._start_task, loop, work)

    def _start_task(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with self._changed:
            self._pending -= 1
            self._changed.notify_all()

    async def _deliver(self, group: UpdateGroup) -> None:
        async with AsyncExitStack() as turns:
            for user in sorted({update.user for update in group}):
                await turns.enter_async_context(self._order.setdefault(user, asyncio.Lock()))
            if await self._post(group):
                return
        # Meta groups the updates differently when it repeats a callback.
        await asyncio.gather(*(self._repeat([update]) for update in group))

    async def _repeat(self, group: UpdateGroup) -> None:
        pauses = self._state.options.retry_seconds
        for attempt in range(1, self._state.options.max_attempts):
            await asyncio.sleep(pauses[min(attempt, len(pauses)) - 1])
            if await self._post(group):
                return

    async def _post(self, group: UpdateGroup) -> bool:
        """Whether the business answered 200."""
        callback = signed(group)
        status = await self._status(group[0].account.callback_url, callback)
        self.attempts.append((tuple(update.wamid for update in group), status))
        if status == _OK:
            self._accepted(group)
        return status == _OK

    async def _status(self, url: str, callback: SignedCallback) -> int:
        """The answer's status; 0 without an answer."""
        if self._session is None:
            return 0
        try:
            async with self._session.post(url, data=callback.body, headers=callback.headers) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def _by_app(updates: Sequence[CallbackUpdate]) -> list[UpdateGroup]:
    """One group for each app and URL: a callback has one signature and goes to one place."""
    groups: dict[tuple[str, str], UpdateGroup] = {}
    for update in updates:
        groups.setdefault((update.account.app.secret, update.account.callback_url), []).append(update)
    return list(groups.values())
