"""Which URLs a user may give us to call. No name is looked up, so an error reveals nothing about a network.

One strict pattern parses a URL, and the URL that is called is built from its parts, so that no second parser can read
it differently. Path and query keep their bytes. An accepted name may still resolve to a refused address:
`callmissed.http.client` validates addresses each time it connects.
"""

import re
from ipaddress import ip_address

from yarl import URL

from callmissed.errors import ApiError, invalid_request
from callmissed.http.addresses import is_loopback, is_public

MAX_URL_LENGTH = 2048

_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f]*:[0-9a-f:.]+)\]|(?P<host>[a-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?]*)?(?:\?(?P<query>.*))?",
    re.IGNORECASE,
)
# https://www.rfc-editor.org/rfc/rfc3986#appendix-A
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_MAX_NAME_LENGTH = 253
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

    `allow_loopback` also allows `localhost`, 127.0.0.0/8 and ::1, over https or plain http. Raises ApiError 400
    `url_rejected`, whose message names the fault of the text, and never the address of a name.
    """
    if not 1 <= len(text) <= MAX_URL_LENGTH:
        raise _rejected(f"A URL has 1 to {MAX_URL_LENGTH} characters.")
    if not _CHARACTERS.fullmatch(text):
        raise _rejected("The URL has characters that have to be percent-encoded, or in a host name written as xn--.")
    if "#" in text:
        raise _rejected("The URL has a fragment, which no server would see.")
    parts = _URL.fullmatch(text)
    if parts is None:
        raise _rejected("The URL must be https://, a host and a path, without a user name.")
    scheme, host, port = parts["scheme"].lower(), (parts["ipv6"] or parts["host"]).lower(), parts["port"]
    _check_host(scheme, host, allow_loopback)
    if port is not None and not 1 <= int(port) <= 65535:
        raise _rejected("The URL's port is not between 1 and 65535.")
    return _built(scheme, host, port, parts["path"] or "/", parts["query"] or "")


def _check_host(scheme: str, host: str, allow_loopback: bool) -> None:
    if allow_loopback and (host == "localhost" or is_loopback(host)):
        return
    if scheme != "https":
        raise _rejected("The URL must begin with https://.")
    if not is_public(host) and not _is_public_name(host):
        raise _rejected("The URL's host is not a public host name or address.")


def _is_public_name(host: str) -> bool:
    if len(host) > _MAX_NAME_LENGTH or not _NAME.fullmatch(host) or _NUMERIC_END.fullmatch(host):
        return False
    return not host.endswith(_LOCAL_ENDS)


def _built(scheme: str, host: str, port: str | None, path: str, query: str) -> URL:
    host = f"[{ip_address(host)}]" if ":" in host else host
    number = int(port) if port else None
    return URL.build(scheme=scheme, host=host, port=number, path=path, query_string=query, encoded=True)


def _rejected(why: str) -> ApiError:
    return invalid_request(why, "url", "url_rejected")
