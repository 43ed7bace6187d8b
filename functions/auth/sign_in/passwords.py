"""Hashes of passwords: Argon2id with OWASP's parameters of 19 MiB, 2 passes and no parallelism.

https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

_parameters = Parameters(Type.ID, 19, salt_len=16, hash_len=32, time_cost=2, memory_cost=19 * 1024, parallelism=1)
_hasher = PasswordHasher.from_parameters(_parameters)
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$BzykphN9djXXKPZAQDkxkQ$MYPz3FIvK/AlRz3i/F4wTF8sGGkz6xl2UW/1uSAZr1I"
"""A hash of a random password, checked where there is none, so that the work is the same."""


def hash_password(password: str) -> str:
    """The hash to store."""
    return _hasher.hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether `password` is the one of `stored`, which is empty where a person has none. One hash either way."""
    try:
        return _hasher.verify(stored or _NOBODYS, password) and bool(stored)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with weaker parameters than today's."""
    return extract_parameters(stored) != _parameters
