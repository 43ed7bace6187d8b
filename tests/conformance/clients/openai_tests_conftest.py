"""Lets openai-python's own tests call the API: `tests.support.sdk_tests` puts it beside them, as their `conftest.py`.

They were made for a mock that answers anything to anything. So placeholders in a request are replaced by what an API
takes, and fields that the API does not offer are left away. What can't pass is left out, for a reason.
"""

import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAI

SETTINGS: Mapping[str, Any] = {"base_url": os.environ["TEST_API_BASE_URL"], "api_key": os.environ["TEST_API_KEY"]}
RECORDING = Path(os.environ["TEST_RECORDING"])
OUTCOMES = Path(os.environ["TEST_OUTCOMES"])

LEFT_OUT: Mapping[str, str] = {
    r"test_images.py::.*_(edit|create_variation)": "`/v1/images/edits` and `/variations` are not offered",
    r"test_images.py::.*_generate.*overload_2": "`stream` of images is not offered: they come whole",
    r"test_embeddings.py::.*test_(method|raw_response|streaming_response)_create\[(strict|aiohttp)": (
        "the SDK asks for base64 and its strict mode takes numbers alone, so this fails with any API that does as asked"
    ),
    r"test_speech.py::.*test_method_create|test_files.py::.*test_method_content": (
        'the test expects the body of its mock, `{"foo": "bar"}`; its raw and streaming variants run without the mock'
    ),
}
"""Tests that can't pass, by a pattern of their ids, and why."""

MODELS = {"tts-1": "gpt-4o-mini-tts", "gpt-image-2.5-flare": "sandbox-image"}
"""Models of the catalogue in place of those that it does not have."""

VALUES: Mapping[tuple[str, object], object] = {
    ("speed", 0.25): 0.5,
    ("after", "after"): None,
    ("limit", 0): 1,
    ("purpose", "purpose"): "assistants",
}
"""Values in place of those that are out of bounds here; None for an id of a file that exists."""

NOT_OFFERED: Mapping[str, frozenset[str]] = {
    "/audio/transcriptions": frozenset(
        {"keywords", "known_speaker_names", "known_speaker_references", "languages", "timestamp_granularities"}
    ),
    "/images/generations": frozenset(
        {
            *("background", "complexity", "frame_count", "frame_duration_ms", "moderation", "output_compression"),
            *("output_format", "partial_images", "quality", "safety_identifier", "style", "svg"),
        }
    ),
}
"""Fields that are 400 here, by path: at all, or in the combination that the tests send."""


def _file_id() -> str:
    with OpenAI(**SETTINGS) as sdk:
        return sdk.files.create(file=b"Example data", purpose="assistants").id


def _values(fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    kept = {name: value for name, value in fields.items() if name not in NOT_OFFERED.get(path, ())}
    for name, value in kept.items():
        if isinstance(value, str | int | float) and (name, value) in VALUES:
            new = VALUES[name, value]
            kept[name] = _file_id() if new is None else new
    if path == "/images/generations":
        kept.setdefault("model", "sandbox-image")
    if "model" in kept:
        kept["model"] = MODELS.get(kept["model"], kept["model"])
    return kept


def _prepared(options: Any) -> Any:
    """The request's options as the API can take them."""
    path = options.url
    if "/file_id" in path:
        options.url = path.replace("/file_id", f"/{_file_id()}")
    if isinstance(options.json_data, dict):
        options.json_data = _values(options.json_data, path)
    if options.params:
        options.params = _values(options.params, path)
    if options.files and path.startswith("/audio/"):
        options.files = [("file", RECORDING.read_bytes())]
    return options


class _OpenAI(OpenAI):
    def _prepare_options(self, options: Any) -> Any:
        return _prepared(options)


class _AsyncOpenAI(AsyncOpenAI):
    async def _prepare_options(self, options: Any) -> Any:
        return _prepared(options)


class _NoMock:
    """Stands for the mock of requests, and lets them pass."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_more: self


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[OpenAI]:
    """The SDK, strict or not, as its tests ask."""
    with _OpenAI(**SETTINGS, max_retries=0, _strict_response_validation=getattr(request, "param", True)) as sdk:
        yield sdk


@pytest.fixture(scope="session")
async def async_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncOpenAI]:
    """The SDK's coroutines, over httpx2 or aiohttp."""
    asked = getattr(request, "param", True)
    http = DefaultAioHttpClient() if isinstance(asked, dict) else None
    async with _AsyncOpenAI(
        **SETTINGS, max_retries=0, http_client=http, _strict_response_validation=asked is not False
    ) as sdk:
        yield sdk


@pytest.fixture
def respx2_mock() -> _NoMock:
    """In place of the mock of the tests."""
    return _NoMock()


_passed: Counter[str] = Counter()
_failed: list[str] = []
_left_out: Counter[str] = Counter()


def _why_left_out(item: pytest.Item) -> str:
    return next((why for pattern, why in LEFT_OUT.items() if re.search(pattern, item.nodeid)), "")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't pass, and run what is skipped because the mock knows no aiohttp."""
    _left_out.update(filter(None, map(_why_left_out, items)))
    config.hook.pytest_deselected(items=[item for item in items if _why_left_out(item)])
    items[:] = [item for item in items if not _why_left_out(item)]
    for item in items:
        item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "skip"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what passed, and name what did not."""
    if report.when == "call" and report.passed:
        _passed[report.nodeid.partition("::")[0]] += 1
    elif not report.passed:
        _failed.append(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what happened for the program that started the tests."""
    OUTCOMES.write_text(json.dumps({"passed": _passed, "failed": _failed, "left_out": _left_out}))
