"""The stand-in as tests and the local stack use it: `FakeGraph`."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from uuid import uuid4

from aiohttp import web

from local.fakes.background_loop import background_loop
from local.fakes.graph.accounts import (
    APP_ID,
    NUMBER_ID,
    PHONE_PAGE,
    WABA_ID,
    GrantedToken,
    GraphAccount,
    GraphApp,
    GraphNumber,
)
from local.fakes.graph.admin.routes import AdminRoutes
from local.fakes.graph.callbacks import CallbackUpdate, SignedCallback
from local.fakes.graph.delivery import CallbackSender
from local.fakes.graph.faults import Fault, FaultKind
from local.fakes.graph.media import MediaStore
from local.fakes.graph.phones import PhoneUser
from local.fakes.graph.routes import GraphRoutes
from local.fakes.graph.sending import Outbound
from local.fakes.graph.state import ChatEntry, GraphOptions, GraphState
from local.ports import HOST

_MAX_UPLOAD = 110 * 1024 * 1024


class FakeGraph:
    """A stand-in for Graph with one account (WABA) and one number, to which `add_account` adds others.

    Callbacks go to `callback_url`; without one they are kept for `take`. Methods may be called from any thread.
    """

    def __init__(
        self,
        *,
        callback_url: str = "",
        access_token: str = "EAAstandin",  # noqa: S107  a made-up token
        app_secret: str = "standin-app-secret",  # noqa: S107  a made-up secret
        verify_token: str = "standin-verify-token",  # noqa: S107  a made-up token
        options: GraphOptions | None = None,
    ) -> None:
        self.url = ""
        self.state = GraphState(options or GraphOptions())
        self.sender = CallbackSender(self.state, self._delivered)
        self._outbound = Outbound(self.state, self.sender)
        self._media = MediaStore(self.state)
        app = GraphApp(app_secret, verify_token, callback_url, APP_ID)
        self.account = self.add_account(app, WABA_ID, [GraphNumber(NUMBER_ID)], access_token)

    def add_account(
        self,
        app: GraphApp,
        waba_id: str,
        numbers: Sequence[GraphNumber],
        access_token: str,
        *,
        subscribed: bool = True,
    ) -> GraphAccount:
        """Add an account with its `numbers`, and a token for it. A token may have several accounts."""
        account = GraphAccount(waba_id, app, subscribed=subscribed)
        account.numbers.update({number.number_id: number for number in numbers})
        self.state.apps[app.app_id] = app
        self.state.accounts[waba_id] = account
        self.state.tokens.setdefault(access_token, GrantedToken(app, set())).wabas.add(waba_id)
        return account

    @property
    def phone_page(self) -> str:
        """URL of the page with a user's phone."""
        return self.url + PHONE_PAGE

    @property
    def sent(self) -> list[ChatEntry]:
        """The messages that Graph took from businesses, oldest first."""
        return list(self._outbound.sent)

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The faults that are set, with their hits."""
        return self.state.faults.all()

    def phone(self, wa_id: str, *, name: str = "", number_id: str = NUMBER_ID) -> PhoneUser:
        """The phone of the user with a number, in digits, who chats with one number of a business."""
        user = self.state.meet(wa_id.lstrip("+"), name)
        return PhoneUser(user, number_id, self.state, self.sender, self._outbound)

    def fault(self, kind: FaultKind | str, **fields: Any) -> Fault:
        """Set a fault; see `Fault` for the fields. Raises ValueError."""
        return self.state.faults.add(Fault.model_validate({"kind": kind, **fields}))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.state.faults.clear()

    def take(self) -> list[SignedCallback]:
        """The callbacks since the last call, where there is no callback URL."""
        return self.sender.take()

    def wait_idle(self, seconds: float = 30) -> None:
        """Wait until all statuses and callbacks are sent, or given up. Raises TimeoutError."""
        self.sender.wait_idle(seconds)

    async def idle(self, seconds: float = 30) -> None:
        """As `wait_idle`, in a coroutine."""
        await asyncio.to_thread(self.wait_idle, seconds)

    def revoke_token(self, access_token: str) -> None:
        """Let a token be refused with 190/460."""
        self.state.tokens[access_token].revoked = True

    def restore_token(self, access_token: str) -> None:
        """Take a revoked token again."""
        self.state.tokens[access_token].revoked = False

    def signup_code(self, waba_id: str = WABA_ID) -> str:
        """A code of an embedded sign-up, which is good for one exchange."""
        code = f"AQ{uuid4().hex}"
        self.state.codes[code] = waba_id
        return code

    def add_template(self, name: str, language: str = "en_US", parameters: int = 0) -> None:
        """Approve a template whose body has so many parameters."""
        self.state.templates[name, language] = parameters

    def expire_media(self, media_id: str) -> None:
        """Let a file be gone, as after 30 days."""
        self.state.media[media_id].expired = True

    @contextmanager
    def serving(self, port: int = 0) -> Generator[Self]:
        """Serve on `port` of loopback, or a free one, until the block ends; in a thread of its own."""
        with background_loop("fake-graph") as run:
            runner = run(self._start(port))
            try:
                yield self
            finally:
                run(self._stop(runner))

    async def _start(self, port: int) -> web.AppRunner:
        app = web.Application(client_max_size=_MAX_UPLOAD)
        AdminRoutes(self).add_to(app)
        GraphRoutes(self.state, self.sender, self._outbound, self._media).add_to(app)
        await self.sender.start()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        self.url = self._media.base_url = f"http://{HOST}:{runner.addresses[0][1]}"
        return runner

    async def _stop(self, runner: web.AppRunner) -> None:
        await self.sender.stop()
        await runner.cleanup()

    def _delivered(self, updates: Sequence[CallbackUpdate]) -> None:
        """The business has taken callbacks: the users see that their messages arrived."""
        with self.state.lock:
            for update in updates:
                entry = self.state.entries.get(update.wamid)
                if entry and not entry.outgoing and entry.status == "sent":
                    entry.status = "delivered"
                    self.state.touch(entry)
