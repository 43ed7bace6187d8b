"""TLS contexts of test servers."""

import ssl
from collections.abc import Callable

NewServerContext = Callable[..., ssl.SSLContext]
"""Makes a server's context with a certificate for the given names; options are those of `trustme.CA.issue_cert`."""
