"""Credentials in configurations: found by name, masked, kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.sealing import Sealer
from functions.bots.bots.credentials import MASK, NothingToKeep, is_credential, kept, masked, seal, unseal

SEALER = Sealer((bytes(range(32)),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "api_key", "name", "Password", "list"]), inner, max_size=3)
    ),
    max_leaves=10,
)
CONFIG = st.dictionaries(st.sampled_from(["access_token", "tools", "language", "Secret"]), JSON, max_size=4)


@pytest.mark.parametrize(
    "name",
    [
        "access_token",
        "apiKey",
        "API-KEY",
        "X-Auth-Token",
        "app_secret",
        "Secret",
        "dbPassword",
        "verify_token",
        "token",
    ],
)
def test_credential_is_known_by_its_name(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize("name", ["max_reply_tokens", "language", "secretary", "token_limit", "key", ""])
def test_other_names_are_none(name: str) -> None:
    assert not is_credential(name)


@given(CONFIG)
def test_what_was_read_can_be_written_back(config: dict[str, object]) -> None:
    shown, values = masked(config)
    stored = unseal(seal(values, SEALER), SEALER)
    again, sent = masked(shown)

    assert stored == values
    assert again == shown
    assert kept(again, sent, shown, stored) == values


def test_element_of_a_list_keeps_its_own_value_in_any_order() -> None:
    stored, earlier = masked({"tools": [{"name": "a", "token": "A"}, {"name": "b", "token": "B"}]})
    shown, values = masked({"tools": [{"name": "b", "token": MASK}]})

    assert kept(shown, values, stored, earlier) == {("tools", 0, "token"): "B"}


def test_changed_element_of_a_list_gets_nobodys_value() -> None:
    stored, earlier = masked({"tools": [{"url": "https://a", "token": "A"}]})
    shown, values = masked({"tools": [{"url": "https://evil", "token": MASK}]})

    with pytest.raises(NothingToKeep) as refused:
        kept(shown, values, stored, earlier)
    assert refused.value.path == ("tools", 0, "token")
