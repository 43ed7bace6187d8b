"""Calls from their hold to their settlement, without tables: what they cost is recorded, and charged to nobody."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from callmissed.catalog.model import Catalog, DialectName
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.ledger.entries import Outcome
from callmissed.settings import CoreSettings
from callmissed_ai.answers.events import event_stream
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import AdmittedPayer, Call, new_call
from callmissed_ai.calls.container import Container, create_container
from callmissed_ai.calls.served import Served
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.routing.router import Router
from callmissed_ai.services import chat
from callmissed_ai.work import Work
from tests.support.inference.gateway import ENVIRONMENT, PEPPER, REGION, ForgetfulHealth
from tests.support.inference.upstream import WAIT_SECONDS


@dataclass(slots=True)
class RecordedSettlement:
    """Takes the place of the settlement. `settled` has the one that was made, `given_up` counts the others."""

    settled: list[tuple[Outcome, Charges]] = field(default_factory=list[tuple[Outcome, Charges]])
    given_up: int = 0

    async def settle(
        self, call: Call, _work: Work, _upstream: UpstreamAnswer, charges: Charges, outcome: Outcome, *_: object
    ) -> None:
        """Record it."""
        call.settling = True
        self.settled.append((outcome, charges))

    async def cancel(self, _call: Call) -> None:
        """Count it."""
        self.given_up += 1


@dataclass(frozen=True, slots=True)
class Ended:
    """What the caller got, and what became of the hold. `refused` where the reply never began."""

    body: bytes
    refused: ApiError | None
    settlement: RecordedSettlement


def containing(catalog: Catalog) -> Container:
    """A container whose tables nobody may call. Waits between tries are skipped."""
    settings = CoreSettings(stage="cut", region=REGION, dynamodb_endpoint="http://127.0.0.1:1", peppers=PEPPER.hex())
    router = Router(catalog, ENVIRONMENT, _no_sandbox, _no_sleep, health=ForgetfulHealth(system_clock))
    return replace(create_container(settings, catalog=catalog), router=router)


async def served_call(container: Container, caller: DialectName, body: dict[str, Any]) -> Ended:
    """The call of `body`, as far as its last byte."""
    settlement = RecordedSettlement()
    made = replace(container, settlement=settlement)  # pyright: ignore[reportArgumentType]  it settles as the real one
    work = made.router.prepared(chat.parse(caller, made.catalog, body, len(json.dumps(body))))
    call = new_call(system_clock)
    call.payer = AdmittedPayer("tenant", "pro", call.started)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            sent = await _answered(Served(made, call, work), caller)
    except ApiError as refused:
        if not call.settling:
            await settlement.cancel(call)  # as the pipeline does
        return Ended(b"", refused, settlement)
    return Ended(sent, None, settlement)


async def _answered(served: Served, caller: DialectName) -> bytes:
    if not served.work.streamed:
        return await whole(served)
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    await (await event_stream(served, open_dialect(caller).closing))({}, _stay, send)
    assert not messages[-1]["more_body"]
    return b"".join(message.get("body", b"") for message in messages)


async def _stay() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("the caller never leaves")


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def _no_sandbox() -> NoReturn:
    raise AssertionError("no call is the sandbox's")
