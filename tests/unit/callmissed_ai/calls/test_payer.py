"""A key that was admitted before anyone knew what its call may cost."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.money import NOTHING, MicroCredits
from callmissed_ai.calls.call import AdmittedPayer
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import AdmittedKey

KEY = cast("Any", object())


class Charges:
    """Admission, of which only the charge is asked for."""

    async def charge(self, _key: object, amount: int) -> object:
        if amount == 13:
            raise Unavailable("DynamoDB is away", indeterminate=False)
        return amount


CONTAINER = cast("Container", SimpleNamespace(admission=Charges()))


def payer(*, key: Any = KEY, sandboxed: bool = False) -> AdmittedPayer:
    return AdmittedPayer("tenant", "pro", Micros(0), is_sandboxed=sandboxed, key=key)


async def test_cost_is_charged_when_it_is_known() -> None:
    assert (await AdmittedKey(payer()).admit(CONTAINER, None, MicroCredits(7))).key == 7


@pytest.mark.parametrize(
    ("admitted", "cost"),
    [(payer(), NOTHING), (payer(sandboxed=True), MicroCredits(7)), (payer(key=None), MicroCredits(7))],
)
async def test_nothing_is_charged_where_nothing_is_paid(admitted: AdmittedPayer, cost: MicroCredits) -> None:
    assert await AdmittedKey(admitted).admit(CONTAINER, None, cost) is admitted


async def test_outage_is_no_free_call() -> None:
    with pytest.raises(ApiError) as refused:
        await AdmittedKey(payer()).admit(CONTAINER, None, MicroCredits(13))
    assert refused.value.status == 503
