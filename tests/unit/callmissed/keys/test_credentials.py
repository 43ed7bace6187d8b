"""Keys and origins as a request shows them: one well-formed key or 401, a host or nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed.keys.credentials import calling_host, presented_secret
from callmissed.keys.domains import is_allowed, lockable, origin_host, patterns_for
from callmissed.keys.secret import Mode, is_well_formed, new_secret

KEY, OTHER = new_secret(Mode.LIVE), new_secret(Mode.TEST)

values = st.sampled_from([f"Bearer {KEY}", f"bearer  {KEY}", KEY, OTHER, f"Bearer {OTHER}", "Bearer", "", "Basic x"])
raw = st.binary().map(lambda value: value.decode("latin-1"))
headers = st.lists(st.tuples(st.sampled_from(["authorization", "x-api-key", "cookie"]), values | raw))
labels = st.text("abc-0", min_size=1, max_size=4)
hosts = st.lists(labels, min_size=1, max_size=5).map(".".join)


@given(headers)
@example([("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {OTHER}")])
@example([("x-api-key", KEY), ("authorization", f"Bearer {OTHER}")])
def test_one_well_formed_key_or_401(shown: list[tuple[str, str]]) -> None:
    try:
        secret = presented_secret(shown)
    except ApiError as error:
        assert (error.status, error.code) == (401, "invalid_api_key")
        assert KEY not in error.message
    else:
        named = [value for name, value in shown if name in ("authorization", "x-api-key") and value.strip()]
        assert is_well_formed(secret)
        assert named
        assert all(secret in value for value in named)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([], "No API key provided."),
        ([("authorization", "Bearer ")], "No API key provided."),
        (
            [("authorization", "Bearer sk-proj-secret")],
            "not one of this service: ours begin with 'cm_live_' or 'cm_test_'",
        ),
        ([("x-api-key", "secret")], "not one of this service"),
        ([("authorization", "Bearer cm_live_secret")], "mistyped or cut off"),
        ([("authorization", f"Bearer {KEY[:-1]}")], "mistyped or cut off"),
        ([("authorization", f"Bearer {KEY}secret")], "mistyped or cut off"),
        ([("authorization", "Basic secret")], "Send the API key as 'Authorization: Bearer cm_...'."),
    ],
    ids=["none", "empty", "foreign", "foreign header", "short", "cut", "long", "basic"],
)
def test_a_refusal_says_what_is_wrong_with_the_key(shown: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(ApiError) as refused:
        presented_secret(shown)

    assert said in refused.value.message
    assert "secret" not in refused.value.message
    assert KEY[:-1] not in refused.value.message


@given(raw, raw)
@example("https://[::1", "")
@example("https://*.example.com", "")
@example("https://" + "a" * 5000, "")
def test_any_header_names_a_host_or_none(origin: str, referer: str) -> None:
    host = calling_host([("origin", origin), ("referer", referer)])

    assert host is None or (0 < len(host) <= 253 and "*" not in host)


@given(hosts, st.lists(hosts | hosts.map(lambda host: f"*.{host}"), max_size=5))
def test_a_lock_admits_its_host_or_every_host_below(host: str, locks: list[str]) -> None:
    def admits(lock: str) -> bool:
        return host.endswith(lock[1:]) and host != lock[2:] if lock.startswith("*.") else host == lock

    assert is_allowed(frozenset(locks), host) == any(map(admits, locks))


@given(hosts)
def test_the_patterns_of_a_host_are_all_locks_that_admit_it(host: str) -> None:
    patterns = patterns_for(host)

    assert len(patterns) == len(set(patterns))
    assert all(is_allowed({pattern}, host) for pattern in patterns)
    assert len(patterns) == host.count(".") + 1


def test_no_lock_admits_a_caller_without_a_host() -> None:
    assert not is_allowed(frozenset({"example.com", "*.example.com"}), None)
    assert is_allowed(frozenset({"*"}), None)


@given(st.text(max_size=30))
def test_a_lock_is_canonical_or_refused(text: str) -> None:
    try:
        lock = lockable(text)
    except ApiError as error:
        assert error.status == 400
    else:
        assert lockable(lock) == lock == lock.lower()
        host = lock.replace("*.", "a.")
        assert is_allowed({lock}, origin_host(f"https://{host}", None))


@pytest.mark.parametrize(
    ("origin", "referer", "host"),
    [
        ("https://App.Example.com:8443", None, "app.example.com"),
        ("https://app.example.com.", None, "app.example.com"),
        (None, "https://app.example.com/a/b?c=https://evil.example", "app.example.com"),
        ("", "https://app.example.com/", "app.example.com"),
        ("null", "https://app.example.com/", None),
        ("https://user:pass@evil.example", None, "evil.example"),
        (None, None, None),
        ("file://", None, None),
    ],
)
def test_which_host_calls(origin: str | None, referer: str | None, host: str | None) -> None:
    assert origin_host(origin, referer) == host


def test_host_of_many_labels_has_no_wildcard_pattern() -> None:
    host = ".".join(["a"] * 13)

    assert patterns_for(host) == [host]
    assert len(patterns_for(host.removeprefix("a."))) == 12
