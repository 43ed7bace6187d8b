"""Time limits that only work together: each relation reads what the product declares, in seconds."""

import inspect

import pytest

from callmissed.aws import dynamodb
from callmissed.aws.buckets import MAX_S3_SECONDS
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.idempotency.store import RETENTION_SECONDS, SKEW_SECONDS
from callmissed.ids import expires_at, new_call_id, started_at
from callmissed.platform.functions import FUNCTIONS, INFERENCE, LEDGER_SWEEP, SCHEDULES, TURN_WORKER, Function
from callmissed.platform.routes import ROUTES, STREAM_TIMEOUT_SECONDS
from callmissed.platform.tables import IDEMPOTENCY
from callmissed.web import idempotency as below_api
from callmissed_ai.answers import events
from callmissed_ai.calls import idempotency
from callmissed_ai.calls.call import HOLD_MINUTES
from callmissed_ai.calls.served import MAX_BLOCKING_SECONDS, MAX_CALL_SECONDS
from callmissed_ai.calls.stored_call import MAX_KEEP_SECONDS
from callmissed_ai.routing import attempt, router
from functions.bots.inbox import drafts
from functions.bots.turns import leases, thinking, turn

API_GATEWAY_SILENCE_SECONDS = 300
"""API Gateway's own: a response that is silent for so long is cut."""

STREAM_END_SECONDS = MAX_CALL_SECONDS
KEYED = [function for function in FUNCTIONS if IDEMPOTENCY.name in function.tables and function is not TURN_WORKER]
"""Functions whose requests have keys. The worker of turns keys the calls that it makes, one after another."""


def lock_seconds(function: Function) -> int:
    """How long a key is locked by a run in `function`."""
    return idempotency.LOCK_SECONDS if function is INFERENCE else below_api.LOCK_SECONDS


def longest_write_seconds() -> float:
    """How long one write may take with all its tries and the waits between them."""
    settings = inspect.signature(dynamodb.DynamoDB).parameters
    tries, seconds = settings["attempts"].default, settings["timeout_seconds"].default
    return tries * seconds + sum(dynamodb._BACKOFF_SECONDS * 2**attempt for attempt in range(1, tries))


def hold_seconds() -> float:
    """How long the sweeper leaves a call's hold alone."""
    call_id = new_call_id(Micros(0), HOLD_MINUTES)
    return (expires_at(call_id) - started_at(call_id)) / SECOND


def test_stream_ends_before_its_function_does() -> None:
    assert INFERENCE.timeout_seconds > STREAM_END_SECONDS + SKEW_SECONDS


def test_settlement_at_a_calls_latest_end_finishes_before_its_function_does() -> None:
    response_entry_and_wallet = MAX_KEEP_SECONDS + 2 * longest_write_seconds()

    assert STREAM_END_SECONDS + response_entry_and_wallet < INFERENCE.timeout_seconds


def blocking_end_seconds() -> float:
    """How long after its start a blocking call is answered at the latest: read, its response stored, kept, settled."""
    answer_entry_and_wallet = 3 * longest_write_seconds()
    return MAX_BLOCKING_SECONDS + MAX_KEEP_SECONDS + MAX_S3_SECONDS + answer_entry_and_wallet


def test_response_is_tried_to_be_stored_as_often_as_any_write() -> None:
    assert longest_write_seconds() < MAX_KEEP_SECONDS


def test_blocking_call_is_answered_before_the_gateway_cuts_it() -> None:
    assert blocking_end_seconds() < API_GATEWAY_SILENCE_SECONDS


def test_blocking_call_ends_before_its_function_and_the_lock_of_its_key() -> None:
    assert blocking_end_seconds() < INFERENCE.timeout_seconds
    assert blocking_end_seconds() < idempotency.LOCK_SECONDS - SKEW_SECONDS


def test_hold_of_a_blocking_call_stands_until_it_is_settled() -> None:
    assert blocking_end_seconds() + SKEW_SECONDS < hold_seconds()


def test_gateway_waits_as_long_as_a_streaming_function_runs() -> None:
    streaming = {route.function for route in ROUTES if route.streaming}

    assert streaming == {INFERENCE.name}
    assert INFERENCE.timeout_seconds == STREAM_TIMEOUT_SECONDS


@pytest.mark.parametrize("function", KEYED, ids=lambda function: function.name)
def test_keys_lock_outlives_the_function_of_its_run(function: Function) -> None:
    assert function.timeout_seconds < lock_seconds(function) - SKEW_SECONDS


def test_turns_call_ends_before_its_lock_and_the_lock_before_the_lease() -> None:
    assert turn.THINKING_SECONDS < thinking.LOCK_SECONDS - SKEW_SECONDS
    assert thinking.LOCK_SECONDS + SKEW_SECONDS <= leases.LEASE_SECONDS < TURN_WORKER.timeout_seconds


def test_drafts_call_ends_before_its_lock() -> None:
    assert drafts.MAX_SECONDS < drafts.LOCK_SECONDS - SKEW_SECONDS


@pytest.mark.parametrize("function", KEYED, ids=lambda function: function.name)
def test_record_of_a_key_outlives_its_lock(function: Function) -> None:
    assert lock_seconds(function) + SKEW_SECONDS < RETENTION_SECONDS


def test_hold_outlives_the_latest_settlement_of_its_call() -> None:
    assert hold_seconds() > STREAM_END_SECONDS + SKEW_SECONDS
    assert hold_seconds() > INFERENCE.timeout_seconds + SKEW_SECONDS


def test_key_of_a_dead_call_is_free_before_its_hold_is_swept() -> None:
    assert hold_seconds() > idempotency.LOCK_SECONDS + SKEW_SECONDS


def test_sweep_ends_before_the_next_one_begins() -> None:
    (schedule,) = (schedule for schedule in SCHEDULES if schedule.function == LEDGER_SWEEP.name)

    assert schedule.expression == "rate(1 minute)"
    assert LEDGER_SWEEP.timeout_seconds < MINUTE / SECOND


def test_gateway_never_cuts_a_call_for_its_silence() -> None:
    assert attempt._HEAD_SECONDS < router._SEARCH_SECONDS < API_GATEWAY_SILENCE_SECONDS
    assert attempt._SANDBOX_HEAD_SECONDS < router._SEARCH_SECONDS
    assert 2 * events._PING_SECONDS < API_GATEWAY_SILENCE_SECONDS
