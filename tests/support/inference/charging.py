"""A billed call whose time is over while it is being charged."""

import asyncio

import pytest

from callmissed_ai.calls import time_limit
from tests.support.faults import FaultyDynamoDB


def let_time_pass_while_charging(monkeypatch: pytest.MonkeyPatch, dynamodb: object) -> None:
    """Let the limit of the next call pass when its ledger entry is written, by `dynamodb`."""
    charging = asyncio.Event()

    async def time_passes(*_tasks: object, **_limit: object) -> None:
        await charging.wait()

    async def charges() -> None:
        charging.set()
        await asyncio.sleep(0.01)

    assert isinstance(dynamodb, FaultyDynamoDB)
    monkeypatch.setattr(time_limit, "wait", time_passes)
    dynamodb.before("PutItem", charges, matching=lambda put: put["TableName"].endswith("-ledger"))
