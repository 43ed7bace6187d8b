"""What makes two requests the same one, and what an Idempotency-Key may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.idempotency.requests import checked_key, fingerprint, keyed_request

ASKED = ("POST", "/v1/chat/completions", b"a=1", b'{"model": "x"}')


@pytest.mark.parametrize("key", ["x", "0" * 255, "6f1c2a34-8b5d-4a53-9f0e-0d4d1c9a7b10", "!~"])
def test_visible_ascii_up_to_255_characters_is_a_key(key: str) -> None:
    assert checked_key([key]) == key


@pytest.mark.parametrize("key", ["", "0" * 256, "two words", "tab\t", "line\n", "naïve", "\x7f"])
def test_anything_else_is_refused(key: str) -> None:
    with pytest.raises(ApiError) as refused:
        checked_key([key])

    assert (refused.value.status, refused.value.code) == (400, "invalid_idempotency_key")
    assert key not in refused.value.message or not key


def test_two_keys_are_no_key_and_none_is_none() -> None:
    assert checked_key([]) is None
    with pytest.raises(ApiError, match="Send one Idempotency-Key"):
        checked_key(["a", "a"])


@pytest.mark.parametrize(
    "other",
    [
        ("PUT", *ASKED[1:]),
        (ASKED[0], "/v1/chat", *ASKED[2:]),
        (*ASKED[:2], b"a=2", ASKED[3]),
        (*ASKED[:3], b'{"model":"x"}'),
        ("POST", "/v1/chat/completionsa=1", b"", ASKED[3]),
        ("POST", "/v1/chat/completions", b'a=1{"model": "x"}', b""),
    ],
)
def test_every_part_of_the_request_counts(other: tuple[str, str, bytes, bytes]) -> None:
    assert fingerprint(*ASKED) == fingerprint(*ASKED) != fingerprint(*other)


@given(st.lists(st.binary(max_size=6), min_size=2, max_size=2), st.lists(st.binary(max_size=6), min_size=2, max_size=2))
def test_parts_do_not_run_into_one_another(one: list[bytes], other: list[bytes]) -> None:
    same = fingerprint("POST", "/", *one) == fingerprint("POST", "/", *other)

    assert same == (one == other)


def test_a_record_is_named_by_tenant_mode_and_key_and_reveals_none_of_them() -> None:
    records = {
        keyed_request(tenant, mode, key, "f").record
        for tenant in ("tnt_a", "tnt_b")
        for mode in ("live", "test")
        for key in ("one", "two")
    }

    assert len(records) == 8
    assert all(len(record) == 64 and "one" not in record and "tnt" not in record for record in records)


def test_an_operation_names_what_it_creates_the_same_way_each_time() -> None:
    operation = Operation.new()

    assert operation.new_id("whk") == Operation(operation.id).new_id("whk")
    assert operation.new_id("whk").removeprefix("whk_") != operation.new_id("dlv").removeprefix("dlv_")
    assert len(operation.new_id("whk")) == len("whk_") + 24
    assert Operation.new() != operation
