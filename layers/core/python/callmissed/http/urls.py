"""Which URLs a user may give us to call. Pure: nothing is looked up, so a refusal tells nothing about any network.

One strict pattern reads the host, over a text of printable ASCII, so that there is no second reading of a URL for a
trick to hide in. What passes may still resolve to a refused address: `callmissed.http.client` judges that, each time
that it connects.
"""

import re

from yarl import URL

from callmissed.errors import ApiError, invalid_request
from callmissed.http.addresses import is_loopback, is_public

LONGEST_URL = 2048

_AUTHORITY = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?(?=[/?]|\Z)",
    re.IGNORECASE,
)
_PRINTABLE = re.compile(r"[!-~]*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_LONGEST_NAME = 253
# https://url.spec.whatwg.org/#ends-in-a-number-checker: to a resolver such a name is an IPv4 address
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_LOCAL_ENDS = (
    ".corp",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".invalid",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
    ".onion",
    ".private",
)


def checked_url(text: str, *, allow_loopback: bool = False) -> URL:
    """The URL in `text`: https, a public host by name or address, any port, no user name, no fragment.

    `allow_loopback` also admits `localhost`, 127.0.0.0/8 and ::1, over https or plain http. Raises ApiError 400
    `url_rejected`, whose message says what is wrong with the text and never what a name stands for.
    """
    if not 1 <= len(text) <= LONGEST_URL:
        raise _rejected(f"A URL has 1 to {LONGEST_URL} characters.")
    if not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise _rejected("A URL is printable ASCII: write other characters percent-encoded, in host names as xn--.")
    if "#" in text:
        raise _rejected("The URL has a fragment, which no server would see.")
    authority = _AUTHORITY.match(text)
    if authority is None:
        raise _rejected("The URL must be https://, a host and a path, without a user name.")
    host = (authority["ipv6"] or authority["host"]).lower()
    _check_host(authority["scheme"].lower(), host, allow_loopback)
    return _parsed(text, host)


def _check_host(scheme: str, host: str, allow_loopback: bool) -> None:
    if allow_loopback and (host == "localhost" or is_loopback(host)):
        return
    if scheme != "https":
        raise _rejected("The URL must begin with https://.")
    if not is_public(host) and not _is_public_name(host):
        raise _rejected("The URL's host is not a public host name or address.")


def _is_public_name(host: str) -> bool:
    if len(host) > _LONGEST_NAME or not _NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host):
        return False
    return not host.endswith(_LOCAL_ENDS)


def _parsed(text: str, host: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise _rejected("The URL is malformed.") from error
    # The client connects to what yarl reads, so both readings have to agree.
    if url.raw_host is None or URL.build(scheme="https", host=host).raw_host != url.raw_host or not url.port:
        raise _rejected("The URL is malformed.")
    return url


def _rejected(why: str) -> ApiError:
    return invalid_request(why, "url", "url_rejected")
