"""The identity of an e-mail address: one form for all ways in which people write it.

Trimmed, everything in lower case, the domain as punycode. What is not ASCII before the `@` is refused, because SES
can't deliver it.
"""

import hashlib

from email_validator import EmailNotValidError, validate_email

from callmissed.errors import invalid_request

MAX_ADDRESS = 254


def identity(address: str) -> str:
    """The identity of `address`. Raises ApiError 400 in words for people."""
    address = address.strip()
    if not address.partition("@")[0].isascii():
        raise invalid_request("The part of an e-mail address before the @ may have only ASCII characters.", "email")
    try:
        found = validate_email(address, allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise invalid_request("This is not a valid e-mail address.", "email") from None
    return f"{found.local_part}@{found.ascii_domain}".lower()


def identity_hash(identity: str) -> str:
    """SHA-256 of an identity, for what outlives the account without naming it."""
    return hashlib.sha256(identity.encode()).hexdigest()
