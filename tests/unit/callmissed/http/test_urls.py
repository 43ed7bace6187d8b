"""Which URLs a user may give, and what an error message reveals."""

import re
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed.http.addresses import is_public
from callmissed.http.urls import MAX_URL_LENGTH, checked_url

NOT_HTTPS = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//hooks.example.com/",
    "hooks.example.com",
    "https:hooks.example.com",
    "https:/hooks.example.com",
    "https:///hooks.example.com",
    "https://",
    "https:///",
    "https://?x",
    "https://:443/",
]
PRIVATE_HOSTS = [
    "localhost",
    "LocalHost",
    "localhost.localdomain",
    "a.localhost",
    "printer.local",
    "metadata.google.internal",
    "ip-10-0-0-1.ec2.internal",
    "router.lan",
    "nas.home.arpa",
    "wiki.corp",
    "x.onion",
    "intranet",
    "metadata",
    "127.0.0.1",
    "127.127.127.127",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
]
SPELLINGS = [
    "0x7f.1",
    "0x7f000001",
    "0X7F.0.0.1",
    "127.0.0.0x1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0x",
    "00.0.0.0",
    "1.1.1.1.1",
    "256.1.1.1",
    "127.0.0.1.",
    "127.0.0.1..",
    "localhost.",
    "hooks.example.com.",
    "hooks..example.com",
    ".example.com",
    "hooks.example.1",
    "hooks.example.0xff",
    "127.0.0.1:443:443",
    "hooks.example.com:",
    "hooks.example.com:0",
    "hooks.example.com:00",
    "hooks.example.com:65536",
    "hooks.example.com:999999",
    "hooks.example.com:x",
    "hooks.example.com:-1",
    "%31%32%37.0.0.1",
    "%6cocalhost",
    "hooks.example.com%00.evil.com",
    "hooks.example.com%2f@127.0.0.1",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "127\u30020\u30020\u30021",
    "\u24dbocalhost",
    "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    "loc\u00adalhost",
    "evil.com\uff0fhooks.example.com",
    "münchen.example",
    "user@hooks.example.com",
    "user:pass@hooks.example.com",
    "@hooks.example.com",
    "hooks.example.com@127.0.0.1",
    "hooks.example.com\\@127.0.0.1",
    "127.0.0.1\\.example.com",
    "hooks.example.com#@127.0.0.1",
    "127.0.0.1#.example.com",
    "hooks.example.com\t",
    "hooks.exam\nple.com",
    "hooks.example.com\r\nHost: evil",
    "hooks .example.com",
    "hooks.example.com\0",
    "hooks.example.com\x7f",
    "hooks.example.com\u2028",
    "hooks_x.example.com",
    "-hooks.example.com",
    "hooks-.example.com",
    "hooks.example.com;127.0.0.1",
    "hooks.example.com,127.0.0.1",
    "a" * 64 + ".example.com",
    ".".join(["a" * 60] * 5) + ".com",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[2606:4700::1111%25eth0]",
    "[::1",
    "::1",
    "[::1]]",
    "[[::1]]",
    "[]",
    "[v1.x]",
    "[127.0.0.1]",
    "[8.8.8.8]",
    "[2606:4700::1111].example.com",
    "[2606:4700:::1111]",
]
PUBLIC = [
    ("https://hooks.example.com", "hooks.example.com", 443),
    ("https://hooks.example.com/", "hooks.example.com", 443),
    ("HTTPS://Hooks.Example.COM/Path", "hooks.example.com", 443),
    ("https://hooks.example.com:8443/a/b?c=d&e=%2F", "hooks.example.com", 8443),
    ("https://hooks.example.com:65535?x=1?y", "hooks.example.com", 65535),
    ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443),
    ("https://1.1.1.1.example.com/", "1.1.1.1.example.com", 443),
    ("https://3com.com/", "3com.com", 443),
    ("https://0x7f.example.com/", "0x7f.example.com", 443),
    ("https://a-b--c.example.co.in/x", "a-b--c.example.co.in", 443),
    ("https://hooks.example.com/?u=http://127.0.0.1/@x", "hooks.example.com", 443),
    ("https://hooks.example.com/user:pass@x", "hooks.example.com", 443),
    ("https://8.8.8.8/", "8.8.8.8", 443),
    ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443),
    ("https://[2606:4700:4700:0:0:0:0:1111]:444/", "2606:4700:4700::1111", 444),
    ("https://" + "a" * 63 + ".example.com/", "a" * 63 + ".example.com", 443),
]


@pytest.fixture(autouse=True)
def no_lookups(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a check looks nothing up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def rejection(text: str, *, allow_loopback: bool = False) -> ApiError:
    with pytest.raises(ApiError) as caught:
        checked_url(text, allow_loopback=allow_loopback)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "url_rejected", "url")
    return caught.value


@pytest.mark.parametrize("text", NOT_HTTPS)
def test_only_https_passes(text: str) -> None:
    rejection(text)


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_host_that_is_not_public_is_refused_for_what_it_is(host: str) -> None:
    message = rejection(f"https://{host}/").message

    assert message == "The URL's host is not a public host name or address."


@pytest.mark.parametrize("host", SPELLINGS, ids=ascii)
@pytest.mark.parametrize("loopback", [False, True])
def test_another_spelling_is_no_way_around(host: str, loopback: bool) -> None:
    message = rejection(f"https://{host}/x", allow_loopback=loopback).message

    assert message.isascii()
    assert not re.search(r"\d+\.\d+", message), "a refusal shows no address"


@pytest.mark.parametrize(("text", "host", "port"), PUBLIC)
def test_a_public_url_passes(text: str, host: str, port: int) -> None:
    url = checked_url(text)

    assert (url.scheme, url.raw_host, url.port, url.user) == ("https", host, port, None)


def test_length_is_bounded() -> None:
    start = "https://hooks.example.com/"
    assert len(str(checked_url(start.ljust(MAX_URL_LENGTH, "a")))) == MAX_URL_LENGTH
    rejection(start.ljust(MAX_URL_LENGTH + 1, "a"))
    rejection("")


@pytest.mark.parametrize(
    "text",
    [
        "/\x00",
        "/ ",
        "/a b",
        "/\u00e9",
        "/\\",
        "/|",
        "/<x>",
        '/"',
        "/{x}",
        "/^",
        "/`",
        "/\ud800",
        "?x=\r\nHost:a",
        "/#x",
        "#",
    ],
    ids=ascii,
)
def test_what_follows_the_host_is_printable_ascii_without_fragment(text: str) -> None:
    rejection(f"https://hooks.example.com{text}")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "[0:0::1]"])
def test_the_local_stack_may_call_itself(scheme: str, host: str) -> None:
    assert checked_url(f"{scheme}://{host}:8000/hook", allow_loopback=True).port == 8000
    rejection(f"{scheme}://{host}:8000/hook")


@pytest.mark.parametrize(
    "host", [host for host in PRIVATE_HOSTS if not re.search(r"^localhost$|^127\.|^\[(::|0:.*:)1\]$", host, re.I)]
)
def test_the_local_stack_may_call_nothing_else(host: str) -> None:
    rejection(f"https://{host}/", allow_loopback=True)
    rejection(f"http://{host}/", allow_loopback=True)


def test_the_local_stack_too_calls_others_by_https() -> None:
    rejection("http://hooks.example.com/", allow_loopback=True)
    rejection("http://8.8.8.8/", allow_loopback=True)
    assert checked_url("https://hooks.example.com/", allow_loopback=True).raw_host == "hooks.example.com"


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="0123456789abcdefx.:[]%@\\/#-", max_size=40))
def test_an_address_that_passes_is_public(host: str) -> None:
    try:
        url = checked_url(f"https://{host}/")
    except ApiError:
        return
    name = url.raw_host or ""
    assert is_public(name) or re.fullmatch(r"([a-z0-9-]+\.)+[a-z0-9-]*[a-z-][a-z0-9-]*", name)


@pytest.mark.parametrize("rest", ["/", "/a/../b", "/%2e%2E/%zz", "/a%2Fb?c=%2F+%20&d=[1]", "/?", "/?a?b=//@x", "//x"])
def test_path_and_query_stay_as_they_were_given(rest: str) -> None:
    assert checked_url(f"https://hooks.example.com{rest}").raw_path_qs == rest.removesuffix("?")
