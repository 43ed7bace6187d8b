"""The stand-in as tests and the local stack use it: `FakeCashfree`."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Self

from aiohttp import web

from local.fakes.background_loop import background_loop
from local.fakes.cashfree.callbacks import CallbackTiming, GatewayCallback, GatewayCallbacks, refund_event
from local.fakes.cashfree.checkout import CHECKOUT, Checkout
from local.fakes.cashfree.routes import API, ApiRoutes
from local.fakes.cashfree.state import CashfreeState, FakeOrder, GatewayFault, GatewayFaultKind
from local.ports import HOST

APP_ID = "TEST_standin"


class FakeCashfree:
    """A stand-in for Cashfree with one merchant.

    Callbacks go to `callback_url`; without one they are kept for `take`. Methods may be called from any thread while
    it is serving.
    """

    def __init__(self, *, secret_key: str = "cfsk_standin", app_id: str = APP_ID, callback_url: str = "") -> None:  # noqa: S107  made up
        self.url = ""
        self.state = CashfreeState(app_id, secret_key)
        self._callbacks = GatewayCallbacks(callback_url, secret_key)
        self._checkout = Checkout(self.state, self._callbacks)
        self._run: Callable[[Coroutine[Any, Any, Any]], Any] | None = None

    @property
    def api_url(self) -> str:
        """Base URL of the REST API."""
        return self.url + API

    @property
    def checkout_page(self) -> str:
        """URL of the checkout, to which a session's id is appended."""
        return self.url + CHECKOUT

    def order(self, gateway_order: str) -> FakeOrder:
        """The order. Raises KeyError."""
        return self.state.orders[gateway_order]

    def act(self, gateway_order: str, action: str) -> None:
        """Do what the checkout's button `action` does: pay, fail, drop, pay_twice, dispute, …, refund."""

        async def act() -> None:
            self._checkout.act(self.order(gateway_order), action)

        self._in_loop(act())

    def decide_refund(self, gateway_order: str, refund_id: str, status: str) -> None:
        """Let the bank decide: SUCCESS, FAILED, CANCELLED, or PENDING again."""

        async def decide() -> None:
            refund = self.order(gateway_order).refunds[refund_id]
            refund.status = status
            self._callbacks.send(refund_event(refund))

        self._in_loop(decide())

    def timing(self, **how: Any) -> None:
        """Set when callbacks go out; see `CallbackTiming`."""
        self._callbacks.timing = CallbackTiming(**how)

    def fault(self, kind: GatewayFaultKind | str, path: str = "", times: int = 1, seconds: float = 10.0) -> None:
        """Let the next requests to paths that contain `path` fail."""
        self.state.faults.append(GatewayFault(GatewayFaultKind(kind), path, times, seconds))

    def take(self) -> list[GatewayCallback]:
        """The callbacks since the last call, where there is no callback URL."""
        self.wait_idle()
        return self._callbacks.take()

    def wait_idle(self) -> None:
        """Wait until all callbacks are sent, or given up."""
        self._in_loop(self._callbacks.idle())

    async def idle(self) -> None:
        """As `wait_idle`, in a coroutine."""
        await asyncio.to_thread(self.wait_idle)

    @contextmanager
    def serving(self, port: int = 0) -> Generator[Self]:
        """Serve on `port` of loopback, or a free one, until the block ends; in a thread of its own."""
        with background_loop("fake-cashfree") as run:
            self._run = run
            runner = run(self._start(port))
            try:
                yield self
            finally:
                run(self._stop(runner))

    async def _start(self, port: int) -> web.AppRunner:
        app = web.Application()
        ApiRoutes(self.state, self._callbacks).add_to(app)
        self._checkout.add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        self.url = f"http://{HOST}:{runner.addresses[0][1]}"
        return runner

    async def _stop(self, runner: web.AppRunner) -> None:
        await self._callbacks.stop()
        await runner.cleanup()

    def _in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._run is None:
            raise RuntimeError("the stand-in does not serve")
        self._run(coroutine)
