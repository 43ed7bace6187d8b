"""Many who guess, use or ask for a code at once, each in a thread with a connection of its own."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, TransactionCanceled
from callmissed.errors import ApiError
from callmissed.rate_limits import SlidingWindows
from functions.auth.challenges.codes import MAX_GUESSES, CodePurpose, Codes
from functions.auth.mail.quota import MAX_MAILS, MailQuota
from local.aws.tables import StageTables
from tests.support.inference.gateway import PEPPER
from tests.support.sign_in import SettableClock

NOW = SettableClock().now
THREADS = 12
ADA = "ada@example.com"


def at_once(tables: StageTables, work: Callable[[Database, int], Awaitable[str]]) -> Counter[str]:
    """What `work` returned in each of many threads that begin together."""
    barrier = Barrier(THREADS)

    async def alone(number: int) -> str:
        dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
        try:
            barrier.wait()
            return await work(Database(dynamodb, tables.stage), number)
        finally:
            await dynamodb.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(threads.map(lambda number: asyncio.run(alone(number)), range(THREADS)))


def issued(tables: StageTables) -> str:
    async def issue() -> str:
        dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
        code = await Codes(Database(dynamodb, tables.stage), (PEPPER,)).issue(CodePurpose.LOGIN, ADA, NOW)
        await dynamodb.close()
        return code

    return asyncio.run(issue())


def test_code_is_compared_with_five_guesses_however_many_come_at_once(module_tables: StageTables) -> None:
    code = issued(module_tables)

    async def guess(database: Database, _number: int) -> str:
        try:
            await Codes(database, (PEPPER,)).accept(CodePurpose.LOGIN, ADA, code, NOW)
        except ApiError as refused:
            return refused.code
        return "compared"

    assert at_once(module_tables, guess) == {"compared": MAX_GUESSES, "invalid_code": THREADS - MAX_GUESSES}


def test_code_is_used_once_however_many_have_it(module_tables: StageTables) -> None:
    code = issued(module_tables)

    async def use(database: Database, _number: int) -> str:
        try:
            accepted = await Codes(database, (PEPPER,)).accept(CodePurpose.LOGIN, ADA, code, NOW)
            await database.transact([accepted.use])
        except (ApiError, TransactionCanceled):
            return "refused"
        return "used"

    assert at_once(module_tables, use) == {"used": 1, "refused": THREADS - 1}


def test_five_mails_are_sent_however_many_ask(module_tables: StageTables) -> None:
    async def ask(database: Database, _number: int) -> str:
        is_allowed = await MailQuota(SlidingWindows(database)).count("login", ADA, NOW)
        return "mailed" if is_allowed else "not mailed"

    assert at_once(module_tables, ask) == {"mailed": MAX_MAILS, "not mailed": THREADS - MAX_MAILS}
