"""The balance with bonus, debt and holds, and the packs with what services cost, on DynamoDB Local."""

import json
from typing import Any

from callmissed.ids import new_call_id
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.ledger.returns import take_back
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.price_lists import PRICE_LISTS
from callmissed.platform.tables import WALLETS
from tests.support.people import SignedIn
from tests.support.whole_product import Sent, WholeProduct


async def balance(owner: SignedIn) -> Any:
    return json.loads((await owner.call("GET", "/api/v1/credits/balance")).body)


async def add(owner: SignedIn, amount: int, operation_id: str) -> None:
    product = owner.product
    await grant(
        product.database,
        tenant=owner.tenant,
        amount=MicroCredits(amount * CREDIT),
        operation_id=operation_id,
        now=product.clock(),
    )


async def test_bonus_is_no_real_balance_and_is_spent_first(owner: SignedIn) -> None:
    await add(owner, 1000, "bonus")
    await owner.product.database.update_if(WALLETS, {"id": owner.tenant}, set={"bon": 1000 * CREDIT})
    await add(owner, 50, "bought")
    shown = await balance(owner)
    assert (shown["balance"], shown["real_balance"]) == (1050.0, 50.0)
    assert (shown["currency"], shown["rate"]) == ("INR", "1 credit = ₹1")

    call_id = new_call_id(owner.product.clock(), 20)
    await Ledger(owner.product.database).hold(owner.tenant, call_id, "llm", MicroCredits(10 * CREDIT))
    shown = await balance(owner)
    assert (shown["balance"], shown["real_balance"], shown["held"]) == (1040.0, 50.0, 10.0)


async def test_debt_leaves_nothing_to_spend(owner: SignedIn) -> None:
    await add(owner, 5, "first")
    await take_back(
        owner.product.database,
        tenant=owner.tenant,
        amount=MicroCredits(8 * CREDIT),
        operation_id="back",
        now=owner.product.clock(),
    )
    shown = await balance(owner)
    assert (shown["balance"], shown["real_balance"], shown["debt"], shown["held"]) == (0.0, 0.0, 3.0, 0.0)


async def test_packs_show_prices_and_what_services_cost(product: WholeProduct) -> None:
    replies = [await product.through_local_gateway(Sent("GET", "/api/v1/credits/packs")) for _ in range(2)]
    assert replies[0].body == replies[1].body
    shown = json.loads(replies[0].body)
    assert len(shown["packs"]) == len(PRICE_LISTS[-1].packs)
    assert (shown["custom_min"], shown["custom_max"], shown["custom_rate"]) == (10, 100_000, 1.0)
    costs = shown["costs"]
    assert {"model": "saaras:v3", "unit": "audio_hour", "price": 53.0, "input": None, "output": None} in costs["stt"]
    assert {"llm", "stt", "tts", "image", "search", "embedding"} <= costs.keys()
    tokens = costs["llm"][0]
    assert (tokens["unit"], tokens["price"]) == ("million_tokens", None)
    assert tokens["input"] is not None
