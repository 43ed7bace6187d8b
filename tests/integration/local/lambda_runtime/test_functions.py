"""Functions on the desk: each in one thread, called with copies of JSON, and refused when they do not exist."""

import asyncio

import pytest

from callmissed.platform.functions import FUNCTIONS, Function
from local.aws.engines import Store
from local.aws.services import Services
from local.errors import DeskError
from local.lambda_runtime.functions import Functions
from local.stack.platform import Platform
from tests.support.local_handlers import declared

MISSING = Function("ghost", slice="tests", handler="functions.nowhere.at_all.handler")


async def test_a_function_has_one_thread_and_no_other_has_it() -> None:
    functions = Functions([declared("one", "where"), declared("two", "where")])
    threads = await asyncio.gather(*(functions.call(name, {}) for name in ("one", "two", "one")))
    assert threads == ["one", "two", "one"]


async def test_what_a_handler_raises_reaches_the_caller() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        await Functions([declared("one", "explode")]).call("one", {})


async def test_an_answer_that_is_not_json_is_the_function_s_failure() -> None:
    with pytest.raises(TypeError, match="bytes"):
        await Functions([declared("one", "not_json")]).call("one", {})


def test_every_call_is_told_of_when_it_has_ended() -> None:
    ended: list[str] = []
    functions = Functions([declared("one", "where")], after=lambda: ended.append("one"))
    assert functions.wait("one", {}) == "one"
    functions.close(20)
    assert ended == ["one"]


def test_a_missing_handler_is_one_line_that_names_it(tables: Store, services: Services) -> None:
    with pytest.raises(DeskError, match=r"functions\.nowhere\.at_all\.handler of 'ghost'") as failure:
        Platform(tables, services, declared=[declared("one", "where"), MISSING], queues=())
    assert "'one'" not in str(failure.value)
    assert "\n" not in str(failure.value)


def test_every_declared_handler_exists() -> None:
    Functions(FUNCTIONS).check()
