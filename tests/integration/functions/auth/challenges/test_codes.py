"""The life of a code: one purpose, one address, ten minutes, five guesses."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.platform.tables import CHALLENGES
from functions.auth.challenges.codes import LIFETIME, MAX_GUESSES, CodePurpose, Codes
from local.aws.tables import StageTables
from tests.support.inference.gateway import PEPPER
from tests.support.sign_in import SettableClock, new_address

NOW = SettableClock().now


@pytest_asyncio.fixture(scope="module")
async def database(module_tables: StageTables) -> AsyncIterator[Database]:
    database = Database(DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=20), module_tables.stage)
    yield database
    await database.close()


@pytest.fixture
def codes(database: Database) -> Codes:
    return Codes(database, (PEPPER,))


async def is_right(codes: Codes, identity: str, code: str, now: Micros = NOW, confirms: str = "") -> bool:
    try:
        await codes.accept(CodePurpose.LOGIN, identity, code, now, confirms=confirms)
    except ApiError:
        return False
    return True


async def test_code_is_six_digits_and_stored_as_a_keyed_hash(codes: Codes, database: Database) -> None:
    email = new_address()
    code = await codes.issue(CodePurpose.LOGIN, email, NOW)
    stored = await database.get(CHALLENGES, {"id": f"code#login#{email}"})

    assert (len(code), code.isdecimal()) == (6, True)
    assert code not in str(stored)
    assert not await is_right(Codes(database, (b"another pepper",)), email, code)


async def test_code_outlives_the_rotation_of_the_pepper(codes: Codes, database: Database) -> None:
    email = new_address()
    code = await codes.issue(CodePurpose.LOGIN, email, NOW)
    accepted = await Codes(database, (b"new pepper", PEPPER)).accept(CodePurpose.LOGIN, email, code, NOW)

    await database.transact([accepted.use])


@pytest.mark.parametrize(("later", "right"), [(LIFETIME - 1, True), (LIFETIME, False)])
async def test_code_lives_for_ten_minutes(codes: Codes, later: int, right: bool) -> None:
    email = new_address()
    code = await codes.issue(CodePurpose.LOGIN, email, NOW)
    assert await is_right(codes, email, code, Micros(NOW + later)) is right


async def test_new_code_replaces_the_one_before_with_five_new_guesses(codes: Codes) -> None:
    email = new_address()
    first = await codes.issue(CodePurpose.LOGIN, email, NOW)
    for _ in range(MAX_GUESSES):
        assert not await is_right(codes, email, "wrong!")
    assert not await is_right(codes, email, first), "burnt"

    second = await codes.issue(CodePurpose.LOGIN, email, Micros(NOW + SECOND))

    assert first == second or not await is_right(codes, email, first)
    assert await is_right(codes, email, second)


async def test_code_is_of_one_address_and_confirms_one_thing(codes: Codes) -> None:
    email, other = new_address(), new_address()
    code = await codes.issue(CodePurpose.LOGIN, email, NOW, confirms="this")
    await codes.issue(CodePurpose.LOGIN, other, NOW, confirms="this")

    found = [await is_right(codes, email, code, confirms=text) for text in ("", "that", "this")]

    assert found == [False, False, True]
