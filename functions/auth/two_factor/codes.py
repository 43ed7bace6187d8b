"""Codes of an authenticator app (TOTP, RFC 6238) and backup codes, each accepted once.

A code is good during its step of 30 seconds and one step before and after. Steps that were used are remembered, and
steps far before the latest used one are refused, so no step is accepted twice whatever the clocks say.
Hashes of backup codes are HMACs under the app's secret, which is stored sealed: a reader of the table can't try codes,
and the hashes live as long as the secret.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from typing import Literal

from pyotp import random_base32
from pyotp.totp import TOTP

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.sealing import Sealer
from functions.auth.two_factor.records import Factor

ISSUER = "CallMissed"
SETUP_LIFETIME = 15 * MINUTE
BACKUP_CODES = 10
STEP = 30 * SECOND

_REMEMBERED_STEPS = 10
_TOTP = re.compile(r"[0-9]{6}")
_BACKUP = re.compile(r"[0-9a-f]{8}")

CodeKind = Literal["totp", "backup_code"]


class FactorCodes:
    """Makes and checks codes. The secrets are sealed by `sealer`; every method with a factor raises UnsealError."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def with_setup(self, factor: Factor, now: Micros) -> Factor:
        """The factor with a secret to set up: the one that was begun less than 15 minutes ago, or a new one."""
        if factor.pending and factor.pending_until > now:
            return factor
        secret = self._sealer.seal(random_base32())
        return replace(factor, pending=secret, pending_until=Micros(now + SETUP_LIFETIME))

    def pending_secret(self, factor: Factor) -> str:
        """The secret that the person sets up, in base32."""
        return self._sealer.unseal(factor.pending)

    def enabled(self, factor: Factor, code: str, now: Micros) -> Factor | None:
        """The factor with the secret that was set up, if `code` is its code; the code is used by that."""
        secret = self.pending_secret(factor)
        step = _step_of(secret, code, (), now)
        if step is None:
            return None
        return replace(
            factor, secret=factor.pending, used_steps=(step,), backup_codes=(), pending="", pending_until=Micros(0)
        )

    def after_totp(self, factor: Factor, code: str, now: Micros) -> Factor | None:
        """The factor after the use of a code of the app; None for a wrong or used one."""
        step = _step_of(self._sealer.unseal(factor.secret), code, factor.used_steps, now)
        return None if step is None else replace(factor, used_steps=_remembered(factor.used_steps, step))

    def after_any(self, factor: Factor, code: str, now: Micros) -> tuple[Factor, CodeKind] | None:
        """The factor after the use of a code of the app or of a backup code, and which of them; None for neither."""
        if after := self.after_totp(factor, code, now):
            return after, "totp"
        if after := self._after_backup_code(factor, code):
            return after, "backup_code"
        return None

    def with_backup_codes(self, factor: Factor) -> tuple[Factor, list[str]]:
        """The factor with ten new backup codes, and the codes."""
        codes: set[str] = set()
        while len(codes) < BACKUP_CODES:
            codes.add(secrets.token_hex(4))
        hashes = tuple(self._hash(factor, code) for code in codes)
        return replace(factor, backup_codes=hashes), [f"{code[:4]}-{code[4:]}" for code in codes]

    def _after_backup_code(self, factor: Factor, code: str) -> Factor | None:
        plain = _without_separators(code).lower()
        if not _BACKUP.fullmatch(plain):
            return None
        hashed = self._hash(factor, plain)
        left = tuple(each for each in factor.backup_codes if not hmac.compare_digest(each, hashed))
        return replace(factor, backup_codes=left) if len(left) < len(factor.backup_codes) else None

    def _hash(self, factor: Factor, code: str) -> str:
        key = self._sealer.unseal(factor.secret).encode()
        return hmac.new(key, f"backup code\0{factor.user_id}\0{code}".encode(), hashlib.sha256).hexdigest()


def provisioning_uri(secret: str, account_name: str) -> str:
    """The `otpauth` URI by which an app learns the secret."""
    return TOTP(secret).provisioning_uri(name=account_name, issuer_name=ISSUER)


def _step_of(secret: str, code: str, used: tuple[int, ...], now: Micros) -> int | None:
    """The time step of a code, unless it was used."""
    plain = _without_separators(code)
    if not _TOTP.fullmatch(plain):
        return None
    totp, current = TOTP(secret), now // STEP
    matching = [
        step
        for step in (current, current - 1, current + 1)
        if hmac.compare_digest(totp.generate_otp(step), plain) and _is_unused(step, used)
    ]
    return matching[0] if matching else None


def _is_unused(step: int, used: tuple[int, ...]) -> bool:
    return step not in used and (not used or step > max(used) - _REMEMBERED_STEPS)


def _remembered(used: tuple[int, ...], step: int) -> tuple[int, ...]:
    steps = sorted({*used, step})
    return tuple(each for each in steps if each > steps[-1] - _REMEMBERED_STEPS)


def _without_separators(code: str) -> str:
    return code.replace(" ", "").replace("-", "")
