"""A failed call whose hold is gone already: by an earlier try of ours, or by the sweep."""

from typing import Any, cast

import pytest

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.keys.admission import Admission
from callmissed.ledger.holds import Ledger
from callmissed.ledger.wallet import KeyCharge
from callmissed.money import MicroCredits
from callmissed_ai.calls.call import HOLD_MINUTES, Call, new_call
from callmissed_ai.calls.settlement import CallSettlement

START = Micros(1_795_599_000 * SECOND)


class ReleasedBefore:
    """A wallet that has no such hold."""

    async def release(self, _hold: Any) -> bool:
        return False


@pytest.mark.parametrize(
    ("minutes", "refunded"), [(0, True), (HOLD_MINUTES - 1, True), (HOLD_MINUTES, False), (HOLD_MINUTES + 5, False)]
)
async def test_key_gets_its_charge_back_unless_the_sweep_may_have_given_it(
    monkeypatch: pytest.MonkeyPatch, minutes: int, refunded: bool
) -> None:
    refunds: list[Call] = []

    async def refund(_self: CallSettlement, call: Call, _spent: MicroCredits) -> None:
        refunds.append(call)

    monkeypatch.setattr(CallSettlement, "_refund", refund)
    call = new_call(lambda: START)
    call.hold, call.charge = cast("Any", object()), KeyCharge(b"key", MicroCredits(5), 202611)
    settlement = CallSettlement(
        cast("Ledger", ReleasedBefore()), cast("Admission", None), lambda: Micros(START + minutes * MINUTE)
    )

    await settlement.cancel(call)

    assert refunds == ([call] if refunded else [])
