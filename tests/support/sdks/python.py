"""The official Python SDK, synchronous and asynchronous."""

import contextlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from typing import Any

from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI
from openai.pagination import AsyncPage, SyncPage
from pydantic import BaseModel

from tests.support.sdks.interface import SdkError
from tests.support.threads import Run, background_loop

CREATE, PARSE = "chat.completions.create", "chat.completions.parse"


class PythonSdk:
    """`openai.OpenAI`."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def call(self, key: str, method: str, *arguments: Any, retries: int = 0, **params: Any) -> Any:
        with _as_sdk_error():
            return _as_json(attrgetter(method)(self._client(key, retries))(*arguments, **params))

    def stream(self, key: str, **params: Any) -> Iterator[Any]:
        with _as_sdk_error(), attrgetter(CREATE)(self._client(key, 0))(stream=True, **params) as chunks:
            yield from map(_as_json, chunks)

    def parse(self, key: str, shape: type[BaseModel], **params: Any) -> Any:
        with _as_sdk_error():
            reply = attrgetter(PARSE)(self._client(key, 0))(response_format=shape, **params)
            return _as_json(reply.choices[0].message.parsed)

    @cache  # noqa: B019  one client a key, for the session
    def _client(self, key: str, retries: int) -> OpenAI:
        return OpenAI(base_url=self._base_url, api_key=key, max_retries=retries, timeout=30)


class AsyncPythonSdk:
    """`openai.AsyncOpenAI`, on a loop in a thread."""

    def __init__(self, base_url: str, run: Run) -> None:
        self._base_url = base_url
        self._run = run
        self._clients: list[AsyncOpenAI] = []

    @classmethod
    @contextmanager
    def running(cls, base_url: str) -> Generator["AsyncPythonSdk"]:
        """The SDK until the block ends."""
        with background_loop() as run:
            sdk = cls(base_url, run)
            yield sdk
            for client in sdk._clients:
                run(client.close())

    def call(self, key: str, method: str, *arguments: Any, retries: int = 0, **params: Any) -> Any:
        async def call() -> Any:
            result = attrgetter(method)(self._client(key, retries))(*arguments, **params)
            return await result

        with _as_sdk_error():
            return _as_json(self._run(call()))

    def stream(self, key: str, **params: Any) -> Iterator[Any]:
        async def begin() -> Any:
            return await attrgetter(CREATE)(self._client(key, 0))(stream=True, **params)

        with _as_sdk_error():
            chunks = self._run(begin())
            try:
                while (chunk := self._run(_next(chunks))) is not None:
                    yield _as_json(chunk)
            finally:
                self._run(chunks.close())

    def parse(self, key: str, shape: type[BaseModel], **params: Any) -> Any:
        async def parse() -> Any:
            return await attrgetter(PARSE)(self._client(key, 0))(response_format=shape, **params)

        with _as_sdk_error():
            return _as_json(self._run(parse()).choices[0].message.parsed)

    @cache  # noqa: B019  one client a key, for the session
    def _client(self, key: str, retries: int) -> AsyncOpenAI:
        self._clients.append(AsyncOpenAI(base_url=self._base_url, api_key=key, max_retries=retries, timeout=30))
        return self._clients[-1]


async def _next(chunks: Any) -> Any:
    return await anext(chunks.__aiter__(), None)


def _as_json(result: Any) -> Any:
    if isinstance(result, SyncPage | AsyncPage):
        return [_as_json(element) for element in result.data]
    answer = result.model_dump(mode="json")
    request_id = getattr(result, "_request_id", None)
    return answer | ({"_request_id": request_id} if request_id else {})


@contextlib.contextmanager
def _as_sdk_error() -> Generator[None]:
    try:
        yield
    except APIStatusError as error:
        raise SdkError(
            type(error).__name__,
            error.message,
            error.status_code,
            error.code,
            error.type,
            error.param,
            error.request_id,
            error.response.headers.get("retry-after"),
        ) from error
    except APIError as error:
        raise SdkError(type(error).__name__, error.message, code=error.code, type=error.type) from error
