"""Identifiers. A call, its hold, its ledger entry and its request have the same id.

A call id is 24 characters of Crockford's base32 (https://www.crockford.com/base32.html): ten of milliseconds
since the epoch, so that entries sort by time; two of the hold's lifetime in minutes, so that the sweeper
knows from the id alone when a hold has expired; twelve of randomness.
"""

import secrets

from callmissed.clock import MINUTE, Micros

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_RANDOM_BITS = 60
MAX_LIFETIME_MINUTES = 32 * 32 - 1


def new_call_id(now: Micros, lifetime_minutes: int, random_bits: int | None = None) -> str:
    """Id of a call that starts at `now` and whose hold lives `lifetime_minutes` (1 to 1023).

    `random_bits` (60 bits) is drawn unless given; give it when a retry must make the same id.
    """
    if not 1 <= lifetime_minutes <= MAX_LIFETIME_MINUTES:
        raise ValueError(f"a hold's lifetime must be 1 to {MAX_LIFETIME_MINUTES} minutes")
    bits = secrets.randbits(_RANDOM_BITS) if random_bits is None else random_bits
    return sortable_prefix(now) + _encode(lifetime_minutes, 2) + _encode(bits, 12)


def started_at(call_id: str) -> Micros:
    """Start of the call in epoch microseconds, exact to the millisecond."""
    return Micros(_decode(call_id[:10]) * 1000)


def expires_at(call_id: str) -> Micros:
    """Moment, in epoch microseconds, from which the sweeper may resolve the call's hold."""
    return Micros(started_at(call_id) + _decode(call_id[10:12]) * MINUTE)


def is_call_id(text: str) -> bool:
    """True when `text` has the shape of a call id."""
    return len(text) == 24 and all(letter in _VALUES for letter in text)


def sortable_id(now: Micros, random_bits: int | None = None) -> str:
    """22 characters that sort by time: ten of milliseconds at `now`, twelve of randomness.

    `random_bits` (60 bits) is drawn unless given; give it when the same input must make the same id.
    """
    bits = secrets.randbits(_RANDOM_BITS) if random_bits is None else random_bits
    return sortable_prefix(now) + _encode(bits, 12)


def sortable_prefix(now: Micros) -> str:
    """Prefix of every sortable id of the millisecond `now`."""
    return _encode(now // 1000, 10)


def new_id(prefix: str) -> str:
    """A random id such as `tnt_4f…` with 96 bits of randomness."""
    return f"{prefix}_{secrets.token_hex(12)}"


def _encode(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(5 * (width - 1), -1, -5))


def _decode(text: str) -> int:
    number = 0
    for letter in text:
        number = number << 5 | _VALUES[letter]
    return number
