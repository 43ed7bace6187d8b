"""`make cost`, the third part: USD per active user a month, of the requests that people make.

Each kind of request is made once of the real functions on DynamoDB Local, behind the local gateway and the authorizer,
and its round trips and units are counted. How often an active user makes it, how long Lambda is busy and what a mail
costs are assumptions in `bench/prices.toml`.
"""

import asyncio
import json
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import standing
from bench.cost import DOCUMENT, PRICES, Meter, Prices, between_markers, markdown_table
from bench.steps import fresh_tables
from callmissed.aws.dynamodb import DynamoDB
from callmissed.platform.functions import AUTH_API, AUTHORIZER, MAILER
from callmissed.platform.functions.function import Function
from local.aws.account import REGION
from local.aws.tables import StageTables
from tests.support.second_factor import FactorOwner, new_factor_owner
from tests.support.sign_in import SettableClock, SignInPages, new_address, settings_of
from tests.support.whole_product import Reply, WholeProduct

MILLION = 1_000_000
_HOUR = 3601
Ask = Callable[[], Awaitable[Reply]]
Priced = Mapping[str, float]
"""USD by region."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: how it is named, its key in the price file, its status, and whether it is authorized."""

    title: str
    name: str
    status: int = 200
    mails: int = 0
    authorized: bool = False


KINDS = (
    Kind("registration", "register", mails=1),
    Kind("confirmation of the address", "verify"),
    Kind("sign-in by password", "login"),
    Kind("wrong password", "login_refused", status=401),
    Kind("sign-in by password, with a second factor", "login_with_factor"),
    Kind("code of the second factor", "verify_factor"),
    Kind("code asked for", "code_sent", mails=1),
    Kind("sign-in by code", "code_login"),
    Kind("refresh of the tokens", "refresh"),
    Kind("call of a signed-in person", "session_call", authorized=True),
)
SIGN_UP = ("register", "verify")
"""What a user does once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one request of a kind asks of DynamoDB."""

    kind: Kind
    round_trips: int
    write_units: float
    read_units: float

    @property
    def counts(self) -> tuple[int, float, float]:
        """Round trips, write units, read units."""
        return self.round_trips, self.write_units, self.read_units


@dataclass(frozen=True, slots=True)
class PeoplePrices:
    """The price file's part about people: USD per million mails, queue requests of one, and milliseconds of Lambda."""

    mail: float
    mail_queue_requests: float
    mailer_ms: float
    authorizer_ms: float
    milliseconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """USD per million requests, by service. `every` is what comes with every request: firewall, logs, traces."""

    dynamodb: float
    api: float
    compute: float
    mails: float
    every: float

    @property
    def total(self) -> float:
        """All services."""
        return self.dynamodb + self.api + self.compute + self.mails + self.every


class _Counted:
    """Asks the product, and counts what each kind of request takes."""

    def __init__(self, pages: SignInPages, meter: Meter) -> None:
        self._pages = pages
        self._meter = meter
        self.requests: list[Request] = []

    async def count(self, name: str, ask: Ask) -> dict[str, Any]:
        """The answer to a request of the kind `name`. An hour passes then, so that every limit begins anew.

        Raises RuntimeError for another answer than the kind's.
        """
        kind = next(kind for kind in KINDS if kind.name == name)
        self._meter.reset()
        before = len(self._pages.mails)
        reply, meter = await ask(), self._meter
        seen = (reply.status, len(self._pages.mails) - before)
        if seen != (kind.status, kind.mails):
            raise RuntimeError(f"{kind.title}: status and mails are {seen} instead of {kind.status, kind.mails}")
        self.requests.append(Request(kind, meter.round_trips, meter.write_units, meter.read_units))
        self._pages.clock.pass_seconds(_HOUR)
        return json.loads(reply.body)


async def count_all(tables: StageTables) -> list[Request]:
    """What each kind of request takes, on `tables`."""
    meter, clock = Meter(), SettableClock()
    dynamodb = DynamoDB(REGION, tables.endpoint, timeout_seconds=20, observe=meter.count)
    product = WholeProduct(settings_of(tables), clock, dynamodb=dynamodb)
    try:
        pages = SignInPages(product, clock)
        counted = _Counted(pages, meter)
        await _sign_up_and_in(pages, counted)
        await _second_factor(await new_factor_owner(pages), counted)
        return sorted(counted.requests, key=lambda request: KINDS.index(request.kind))
    finally:
        await product.close()


async def _sign_up_and_in(pages: SignInPages, counted: _Counted) -> None:
    email = new_address()
    await counted.count("register", lambda: pages.registered(email))
    await pages.registered(email)  # a new code, as the first one has expired
    await counted.count("verify", lambda: pages.post("register/verify", {"email": email, "code": pages.code()}))
    await counted.count("login_refused", lambda: pages.login(email, "wrong horse"))
    tokens = await counted.count("login", lambda: pages.login(email))
    await counted.count("session_call", lambda: pages.me(tokens))
    await counted.count("refresh", lambda: pages.post("refresh", {"refresh_token": tokens["refresh_token"]}))
    await counted.count("code_sent", lambda: pages.post("otp/send", {"email": email}))
    await pages.post("otp/send", {"email": email})
    await counted.count("code_login", lambda: pages.post("otp/login", {"email": email, "code": pages.code()}))


async def _second_factor(owner: FactorOwner, counted: _Counted) -> None:
    await owner.enable()
    await counted.count("login_with_factor", lambda: owner.pages.login(owner.email))
    challenge = await owner.challenge()
    await counted.count("verify_factor", lambda: owner.answer(challenge, owner.code()))


def cost_per_million(request: Request, region: Prices, people: PeoplePrices, every: float) -> Cost:
    """What a million of such requests cost."""
    runs = [(AUTH_API, people.milliseconds[request.kind.name])]
    if request.kind.authorized:
        runs.append((AUTHORIZER, people.authorizer_ms))
    mailed = people.mail + people.mail_queue_requests * region.queue_requests + _run(MAILER, people.mailer_ms, region)
    return Cost(
        dynamodb=request.write_units * region.write_units + request.read_units * region.read_units,
        api=region.rest_api,
        compute=sum(_run(function, milliseconds, region) for function, milliseconds in runs),
        mails=request.kind.mails * mailed,
        every=every,
    )


def _run(function: Function, milliseconds: float, region: Prices) -> float:
    gb_seconds = milliseconds / 1000 * function.memory_mb / 1024
    return region.lambda_requests + gb_seconds * region.lambda_gb_seconds


def documented(document: str, requests: Sequence[Request], table: Mapping[str, Any]) -> str:
    """`document` with both tables of people between its markers, at the prices of `table`."""
    costs = _costs(requests, table)
    document = between_markers(document, _per_million(requests, costs), "people")
    return between_markers(document, _active_user(requests, costs, table["active_user"]), "active-user")


def _costs(requests: Sequence[Request], table: Mapping[str, Any]) -> dict[str, dict[str, Cost]]:
    """Costs by region and name of the request."""
    people = PeoplePrices(**table["people"])
    costs: dict[str, dict[str, Cost]] = {}
    for name, prices in standing.regions(table).items():
        every = standing.total(standing.per_million(standing.WITH_FIREWALL, prices))
        region = Prices(**table["regions"][name])
        costs[name] = {each.kind.name: cost_per_million(each, region, people, every) for each in requests}
    return costs


def _per_million(requests: Sequence[Request], costs: Mapping[str, Mapping[str, Cost]]) -> str:
    first = next(iter(costs.values()))
    split = ["DynamoDB $", "REST API $", "Lambda $", "mails $", "firewall, logs, traces $"]
    rows = [["request", "round trips", "WRU", "RRU", *split, *(f"**{region} $**" for region in costs)]]
    for request in requests:
        cost = first[request.kind.name]
        parts = (cost.dynamodb, cost.api, cost.compute, cost.mails, cost.every)
        totals = [f"{each[request.kind.name].total:.2f}" for each in costs.values()]
        rows.append(
            [request.kind.title, *(f"{each:g}" for each in request.counts), *(f"{part:.2f}" for part in parts), *totals]
        )
    return markdown_table(rows)


def _active_user(
    requests: Sequence[Request], costs: Mapping[str, Mapping[str, Cost]], month: Mapping[str, float]
) -> str:
    """What one user costs, a line for each kind of request that the user makes in a month, and sign-up once."""
    rows = [["", "a month", *(f"**{region} $**" for region in costs)]]
    for request in requests:
        if times := month.get(request.kind.name, 0):
            dollars = (each[request.kind.name].total * times / MILLION for each in costs.values())
            rows.append([request.kind.title, f"{times:,.0f}", *(f"{each:.5f}" for each in dollars)])
    rows.append(
        ["**an active user, a month**", "", *(f"**{each:.4f}**" for each in active_user(costs, month).values())]
    )
    once = active_user(costs, dict.fromkeys(SIGN_UP, 1))
    rows.append(["signing up, once", "", *(f"{each:.5f}" for each in once.values())])
    return markdown_table(rows)


def active_user(costs: Mapping[str, Mapping[str, Cost]], times: Mapping[str, float]) -> Priced:
    """USD of a user who makes each request so many times."""
    return {
        region: sum(each[name].total * number for name, number in times.items()) / MILLION
        for region, each in costs.items()
    }


def main() -> None:
    """Count, and write both tables into docs/cost.md."""
    with fresh_tables("bench") as tables:
        requests = asyncio.run(count_all(tables))
    DOCUMENT.write_text(documented(DOCUMENT.read_text(), requests, tomllib.loads(PRICES.read_text())))


if __name__ == "__main__":
    main()
