"""How many holds a wallet carries before each of its writes costs two units, as docs/architecture.md says."""

import pytest

from callmissed.aws.database import Database
from callmissed.catalog.loader import load_catalog
from callmissed.clock import month_of, system_clock
from callmissed.ids import new_call_id
from callmissed.keys.budgets import short_name
from callmissed.ledger.holds import Ledger
from callmissed.ledger.wallet import KeyCharge
from callmissed.money import MicroCredits
from callmissed_ai.calls.call import HOLD_MINUTES
from callmissed_ai.services.chat import parse
from local.aws.tables import StageTables
from tests.support.counting import CountingDynamoDB
from tests.support.inference.gateway import REGION, Accounts


@pytest.mark.parametrize(
    ("budgeted", "charged_more", "holds"),
    [(False, 0, 20), (True, 0, 18), (True, 1_000, 16)],
    ids=["keys without budgets", "keys with budgets", "keys that were charged more than was held"],
)
async def test_holds_at_which_a_write_of_a_wallet_costs_two_units(
    store: StageTables, accounts: Accounts, budgeted: bool, charged_more: int, holds: int
) -> None:
    account = await accounts.account(credits=100_000)
    dynamodb = CountingDynamoDB(REGION, store.endpoint)
    ledger = Ledger(Database(dynamodb, store.stage))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello there"}]}
    amount = parse("openai_chat", load_catalog(), body, 80).estimate
    month = month_of(system_clock())
    charge = KeyCharge(short_name(account.key_id), MicroCredits(amount + charged_more), month) if budgeted else None
    units: list[float] = []
    for _ in range(holds + 2):
        count = dynamodb.restart()
        await ledger.hold(account.tenant, new_call_id(system_clock(), HOLD_MINUTES), "llm", amount, charge=charge)
        units.append(count.units)
    await dynamodb.close()

    assert units[: holds - 1] == [1.0] * (holds - 1)
    assert units[holds] == 2.0, "a wallet that has charged much is a few bytes longer"
