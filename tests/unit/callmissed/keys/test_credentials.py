"""Keys and origins as a request shows them: one well-formed key or 401, a host or nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed.keys.credentials import bearer_token, calling_origin, check_domain, presented_secret
from callmissed.keys.domains import is_allowed, lockable, page_origin, patterns_for
from callmissed.keys.secret import Mode, is_well_formed, new_secret

KEY, OTHER = new_secret(Mode.LIVE), new_secret(Mode.TEST)

values = st.sampled_from([f"Bearer {KEY}", f"bearer  {KEY}", KEY, OTHER, f"Bearer {OTHER}", "Bearer", "", "Basic x"])
raw = st.binary().map(lambda value: value.decode("latin-1"))
headers = st.lists(st.tuples(st.sampled_from(["authorization", "x-api-key", "cookie"]), values | raw))
labels = st.text("abc-0", min_size=1, max_size=4)
hosts = (
    st.lists(labels, min_size=1, max_size=5).map(".".join).filter(lambda host: not host.rpartition(".")[2].isdigit())
)


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
def test_any_header_names_an_origin_or_none(origin: str, referer: str) -> None:
    found = calling_origin([("origin", origin), ("referer", referer)])

    assert found is None or found.startswith(("https://", "http://"))
    assert found is None or ("*" not in found and len(found) <= 253 + len("https://"))


@given(hosts, st.lists(hosts | hosts.map(lambda host: f"*.{host}"), max_size=5))
def test_a_lock_admits_its_host_or_every_host_below(host: str, locks: list[str]) -> None:
    def admits(lock: str) -> bool:
        return host.endswith(lock[1:]) and host != lock[2:] if lock.startswith("*.") else host == lock

    assert is_allowed(frozenset(locks), f"https://{host}") == any(map(admits, locks))


@given(st.sampled_from(["https", "http"]), hosts | st.sampled_from(["localhost", "app.localhost", "127.0.0.1"]))
def test_the_patterns_of_an_origin_are_all_locks_that_admit_it(scheme: str, host: str) -> None:
    patterns = patterns_for(f"{scheme}://{host}")

    assert len(patterns) == len(set(patterns))
    assert all(lockable(pattern) == pattern for pattern in patterns if "--" not in pattern and is_lockable(pattern))
    assert all(is_allowed({pattern}, f"{scheme}://{host}") for pattern in patterns)


def is_lockable(text: str) -> bool:
    try:
        lockable(text)
    except ApiError:
        return False
    return True


LOCKS = ("app.example.com", "*.example.com", "localhost", "*.localhost", "127.0.0.1")


@pytest.mark.parametrize("scheme", ["", "https://", "http://"])
@pytest.mark.parametrize("hosts", LOCKS)
@pytest.mark.parametrize("page", ["https", "http", "capacitor", "chrome-extension", "file"])
def test_a_lock_admits_pages_of_its_scheme(scheme: str, hosts: str, page: str) -> None:
    """Without a scheme a lock means https, and on this machine http too."""
    lock, local = lockable(scheme + hosts), "localhost" in hosts or hosts.startswith("127.")
    admitted = {"https://": {"https"}, "http://": {"http"}, "": {"https", "http"} if local else {"https"}}[scheme]

    origin = page_origin(f"{page}://{hosts.replace('*', 'app')}:8443", None)

    assert is_allowed({lock}, origin) is (page in admitted)


@pytest.mark.parametrize(
    ("text", "lock"),
    [
        ("HTTPS://App.Example.com.", "app.example.com"),
        ("http://*.example.com", "http://*.example.com"),
        ("https://localhost", "https://localhost"),
        ("https://*.localhost", "https://*.localhost"),
    ],
)
def test_https_is_left_out_where_a_lock_means_it_anyway(text: str, lock: str) -> None:
    assert lockable(text) == lock


@pytest.mark.parametrize("text", ["ftp://a.example", "//a.example", "https://", "https://a.b/", "https:a.b"])
def test_a_lock_is_no_url_of_another_form(text: str) -> None:
    with pytest.raises(ApiError, match="is not a host name"):
        lockable(text)


@pytest.mark.parametrize("name", ["origin", "referer"])
@pytest.mark.parametrize("second", ["https://a.example", "https://b.example", ""])
def test_several_origins_are_none(name: str, second: str) -> None:
    """No browser sends two; a proxy and we would read another one each."""
    shown = [(name, "https://a.example"), (name, second)]

    assert calling_origin(shown) is None
    with pytest.raises(ApiError, match="locked to other domains"):
        check_domain({"a.example", "b.example"}, shown)
    check_domain({"*"}, shown)


def test_no_lock_admits_a_caller_without_an_origin() -> None:
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
        page = lock.replace("*.", "a.")
        assert is_allowed({lock}, page_origin(page if "://" in page else f"https://{page}", None))


@pytest.mark.parametrize(
    ("origin", "referer", "page"),
    [
        ("https://App.Example.com:8443", None, "https://app.example.com"),
        ("https://app.example.com.", None, "https://app.example.com"),
        (None, "https://app.example.com/a/b?c=https://evil.example", "https://app.example.com"),
        ("", "http://app.example.com/", "http://app.example.com"),
        ("null", "https://app.example.com/", None),
        ("https://user:pass@evil.example", None, "https://evil.example"),
        ("https://a.example, https://b.example", None, "https://a.example, https"),
        (None, None, None),
        ("file://", None, None),
        ("app.example.com", None, None),
    ],
)
def test_which_page_calls(origin: str | None, referer: str | None, page: str | None) -> None:
    assert page_origin(origin, referer) == page


def test_host_of_many_labels_has_no_wildcard_pattern() -> None:
    host = ".".join(["a"] * 13)

    assert patterns_for(f"https://{host}") == [host]
    assert len(patterns_for("https://" + host.removeprefix("a."))) == 12


TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3IifQ.c2lnbmF0dXJl"


def test_access_token_is_known_by_its_form() -> None:
    assert bearer_token([("authorization", f"Bearer {TOKEN}")]) == TOKEN
    assert bearer_token([("authorization", f"Bearer {KEY}")]) is None
    assert bearer_token([("x-api-key", KEY)]) is None
    assert [bearer_token([("authorization", f"{scheme} {TOKEN}")]) for scheme in ("bearer", "Basic")] == [TOKEN, None]


@pytest.mark.parametrize("other", [("x-api-key", KEY), ("authorization", f"Bearer {KEY}")])
def test_access_token_beside_another_credential_is_refused(other: tuple[str, str]) -> None:
    for headers in ([("authorization", f"Bearer {TOKEN}"), other], [other, ("authorization", f"Bearer {TOKEN}")]):
        with pytest.raises(ApiError) as refused:
            bearer_token(headers)
        assert refused.value.status == 401
