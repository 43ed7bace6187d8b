"""A command line that works on the state folder of a local stack."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import system_clock
from callmissed.ids import new_call_id
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.secret import key_hash
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, Usage, UsageLine
from callmissed.ledger.holds import Ledger
from callmissed.money import MicroCredits
from cli.main import app
from local.aws.account import STAGE

PEPPER = bytes(range(32))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands on the stack whose state is in `state`."""

    endpoint: str
    state: Path

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--state", str(self.state)])

    def json(self, *words: str) -> Any:
        """What a command that must succeed prints with --json."""
        result = self.run(*words, "--json")
        assert (result.exit_code, result.exception) == (0, None), result.output
        return json.loads(result.stdout)

    def tenant(self, plan: str = "pro", credits: str = "100") -> str:
        return self.json("tenants", "create", "--name", "Tests", "--plan", plan, "--credits", credits)["tenant_id"]

    def call(self, secret: str, cost: int = 0) -> Admitted:
        """Admit one call of a key, as the gateway would. Raises ApiError."""
        return self.work(
            lambda dynamodb: Admission(Database(dynamodb, STAGE)).admit(
                key_hash(PEPPER, secret), MicroCredits(cost), system_clock()
            )
        )

    def settle(self, tenant: str, model: str, amount: int) -> str:
        """Bill one call of `amount` micro-credits; returns its id."""
        now = system_clock()
        call_id = new_call_id(now, 20)
        units = {"input_tokens": 11, "cached_input_tokens": 2, "output_tokens": 7}
        lines = tuple(UsageLine(unit, quantity, 0, 1_000_000) for unit, quantity in units.items())
        usage = Usage("llm", model, "lab", lines, latency_ms=321, key_id="key_0")

        async def bill(dynamodb: DynamoDB) -> str:
            ledger = Ledger(Database(dynamodb, STAGE))
            hold, _ = await ledger.hold(tenant, call_id, "llm", MicroCredits(amount + 5))
            entry = LedgerEntry(
                tenant,
                call_id,
                EntryType.DEDUCTION,
                MicroCredits(amount),
                Account.HELD,
                Account.REVENUE,
                now,
                held=(hold.amount, hold.attempt),
                usage=usage,
            )
            await ledger.settle(hold, entry)
            return call_id

        return self.work(bill)

    def work(self, do: Callable[[DynamoDB], Coroutine[Any, Any, T]]) -> T:
        async def with_client() -> T:
            dynamodb = DynamoDB("us-east-1", self.endpoint, timeout_seconds=30.0)
            try:
                return await do(dynamodb)
            finally:
                await dynamodb.close()

        return asyncio.run(with_client())
