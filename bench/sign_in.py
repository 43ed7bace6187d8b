"""`make bench-sign-in`: whether the time of an answer says that an address has an account.

The same request is made for an address with an account and for one that nobody has, in turns and in an order that is
drawn anew each time, on DynamoDB Local. Published are both distributions, and how often somebody who compares two
answers would name the address with the account: by chance alone that is one in two.
"""

import asyncio
import json
import random
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from botocore.credentials import Credentials
from rich.console import Console

from bench.cost import between_markers, markdown_table
from bench.report import rounded
from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.aws.queues import Message
from callmissed.clock import SECOND, Micros, iso, system_clock
from callmissed.errors import ApiError
from callmissed.settings import CoreSettings
from callmissed.tenants.users import Registration
from functions.auth.challenges.codes import CodePurpose
from functions.auth.composition import AuthComposition
from functions.auth.sign_in.passwords import hash_password
from functions.auth.sign_in_composition import SignInComposition
from local.aws.account import REGION
from local.aws.engines import dynamodb_local
from local.aws.tables import StageTables, create_tables
from local.paths import ROOT

DOCUMENT = ROOT / "docs" / "accounts.md"
RESULTS = ROOT / "bench" / "results" / "sign_in.json"
MARKER = "sign-in"
ROUNDS = 300
MAX_ADVANTAGE = 0.75
"""How often the slower or the faster answer may be that of the account."""

_VISITOR = Actor(ActorKind.PERSON, "", "203.0.113.7", "bench")
_HOUR = 3601 * SECOND


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one request for addresses with an account and without, and how often a guess is right."""

    request: str
    account: Sequence[float]
    nobody: Sequence[float]

    @property
    def advantage(self) -> float:
        """How often the better of two simple guesses, "slower" or "faster", names the account."""
        return advantage(self.account, self.nobody)


class _NoMails:
    """Takes mails and sends none."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Forget the messages."""


Ask = Callable[[str, Micros], Awaitable[object]]


def advantage(first: Sequence[float], second: Sequence[float]) -> float:
    """How often the larger of two draws, one of each, is of the likelier sequence (the area under the ROC curve)."""
    pairs = [(one > other) + 0.5 * (one == other) for one in first for other in second]
    share = sum(pairs) / len(pairs)
    return max(share, 1 - share)


async def measure(people: SignInComposition, rounds: int) -> list[Timing]:
    """Both distributions of every request that must not name accounts."""
    wanted = Registration("Ada", "Ada", hash_password(secrets.token_hex(8)), iso(system_clock()))
    await people.accounts.create("ada@example.com", wanted, _VISITOR, system_clock(), method="bench", replaces=True)

    async def wrong_password(address: str, now: Micros) -> object:
        return await people.sign_in.login(address, "wrong", _VISITOR, now)

    async def wrong_code(address: str, now: Micros) -> object:
        return await people.sign_in.login_by_code(address, "000000", _VISITOR, now)

    async def code(address: str, now: Micros) -> object:
        return await people.sign_in.send_code(address, CodePurpose.LOGIN, now)

    requests: Mapping[str, Ask] = {"wrong password": wrong_password, "wrong code": wrong_code, "code asked for": code}
    return [await _timing(name, ask, rounds) for name, ask in requests.items()]


async def _timing(name: str, ask: Ask, rounds: int) -> Timing:
    found: dict[str, list[float]] = {"ada@example.com": [], "": []}
    now = system_clock()
    for number in range(rounds):
        now = Micros(now + _HOUR)  # every limit begins anew
        addresses = list(found)
        random.shuffle(addresses)
        for address in addresses:
            begun = time.perf_counter()
            with suppress(ApiError):
                await ask(address or f"nobody{number}@example.com", now)
            found[address].append((time.perf_counter() - begun) * 1000)
    warm = rounds // 10
    return Timing(name, found["ada@example.com"][warm:], found[""][warm:])


def table(timings: Sequence[Timing]) -> str:
    """The distributions in Markdown."""
    rows = [["ms", "address", "p10", "p50", "p90", "p99", "a guess is right"]]
    for timing in timings:
        for title, values in (("with an account", timing.account), ("of nobody", timing.nobody)):
            cuts = statistics.quantiles(values, n=100)
            shown = [f"{cuts[percent - 1]:.1f}" for percent in (10, 50, 90, 99)]
            rows.append([timing.request, title, *shown, f"{timing.advantage:.0%}".replace("%", " %")])
    return markdown_table(rows)


async def _run(endpoint: str, rounds: int) -> list[Timing]:
    settings = CoreSettings(
        stage="bench",
        region=REGION,
        dynamodb_endpoint=endpoint,
        peppers=secrets.token_hex(32),
        sealing_keys=secrets.token_hex(32),
    )
    create_tables(StageTables(endpoint, settings.stage))
    composition = AuthComposition(settings)
    database = Database.connect(settings, Credentials("local", "local"))
    composition.__dict__.update(mails=_NoMails(), database=database)
    try:
        return await measure(SignInComposition(composition), rounds)
    finally:
        await database.close()


def main(
    rounds: Annotated[int, typer.Option(min=20, help="Requests for each kind of address.")] = ROUNDS,
    check: Annotated[bool, typer.Option("--check", help="Fail above the bound, and write nothing.")] = False,
) -> None:
    """Measure, and write the distributions into docs/accounts.md and bench/results/sign_in.json."""
    with TemporaryDirectory() as folder, dynamodb_local(Path(folder) / "dynamodb.log") as endpoint:
        timings = asyncio.run(_run(endpoint, rounds))
    Console().print(table(timings))
    if check:
        raise typer.Exit(int(any(timing.advantage > MAX_ADVANTAGE for timing in timings)))
    DOCUMENT.write_text(between_markers(DOCUMENT.read_text(), table(timings), MARKER))
    found = [{**asdict(timing), "advantage": timing.advantage} for timing in timings]
    RESULTS.write_text(json.dumps(rounded({"timings": found}), indent=None) + "\n")


if __name__ == "__main__":
    typer.run(main)
