"""Functions: each in one thread, called with copies of JSON, and refused when they do not exist."""

import asyncio

import pytest

from callmissed.platform.functions import FUNCTIONS, Function
from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.errors import LocalStackError
from local.lambda_runtime.functions import LambdaFunctions
from local.stack.platform import LocalPlatform
from tests.support.local_handlers import declared

MISSING = Function("ghost", slice="tests", handler="functions.nowhere.at_all.handler")


async def test_a_function_has_one_thread_and_no_other_has_it() -> None:
    functions = LambdaFunctions([declared("one", "where"), declared("two", "where")])
    threads = await asyncio.gather(*(functions.invoke(name, {}) for name in ("one", "two", "one")))
    assert threads == ["one", "two", "one"]


async def test_an_exception_of_a_handler_reaches_the_caller() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        await LambdaFunctions([declared("one", "explode")]).invoke("one", {})


async def test_an_answer_that_is_not_json_is_the_function_s_failure() -> None:
    with pytest.raises(TypeError, match="bytes"):
        await LambdaFunctions([declared("one", "not_json")]).invoke("one", {})


def test_after_is_called_when_a_call_has_ended() -> None:
    ended: list[str] = []
    functions = LambdaFunctions([declared("one", "where")], after=lambda: ended.append("one"))
    assert functions.invoke_and_wait("one", {}) == "one"
    functions.close(20)
    assert ended == ["one"]


def test_a_missing_handler_is_one_line_that_names_it(tables: StageTables, services: StageServices) -> None:
    with pytest.raises(LocalStackError, match=r"functions\.nowhere\.at_all\.handler of 'ghost'") as failure:
        LocalPlatform(tables, services, declared=[declared("one", "where"), MISSING], queues=())
    assert "'one'" not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_every_declared_handler_exists() -> None:
    LambdaFunctions(FUNCTIONS).check_handlers()
