"""Codes of an app and backup codes: which are right, and that each is used once."""

import re

import pytest
from pyotp.totp import TOTP

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.sealing import Sealer
from functions.auth.two_factor.codes import BACKUP_CODES, SETUP_LIFETIME, FactorCodes, provisioning_uri
from functions.auth.two_factor.records import Factor

NOW = Micros(1_795_599_000 * SECOND)
CODES = FactorCodes(Sealer((b"a sealing key of thirty-two bytes",)))


def later(seconds: int) -> Micros:
    return Micros(NOW + seconds * SECOND)


@pytest.fixture
def pending() -> Factor:
    return CODES.with_setup(Factor("tnt", "usr"), NOW)


def app_of(factor: Factor) -> TOTP:
    """The authenticator app of the person."""
    return TOTP(CODES.pending_secret(factor))


def code_of(app: TOTP, at: Micros) -> str:
    return app.at(at // SECOND)


@pytest.fixture
def app(pending: Factor) -> TOTP:
    return app_of(pending)


@pytest.fixture
def enabled(pending: Factor, app: TOTP) -> Factor:
    """Enabled ten minutes ago."""
    then = later(-600)
    factor = CODES.enabled(pending, code_of(app, then), then)
    assert factor
    return factor


def test_setup_keeps_its_secret_for_fifteen_minutes(pending: Factor) -> None:
    assert CODES.with_setup(pending, Micros(NOW + SETUP_LIFETIME - 1)) == pending
    renewed = CODES.with_setup(pending, Micros(NOW + 15 * MINUTE))
    assert CODES.pending_secret(renewed) != CODES.pending_secret(pending)


def test_secret_is_stored_sealed(pending: Factor, app: TOTP) -> None:
    assert app.secret not in repr(pending)


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_code_of_one_step_before_and_after_is_right(enabled: Factor, app: TOTP, seconds: int) -> None:
    assert CODES.after_totp(enabled, code_of(app, later(seconds)), NOW)


@pytest.mark.parametrize("seconds", [-90, -60, 60, 90])
def test_code_of_a_step_further_away_is_wrong(enabled: Factor, app: TOTP, seconds: int) -> None:
    assert CODES.after_totp(enabled, code_of(app, later(seconds)), NOW) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "0x1234"])
def test_text_that_is_no_code_is_wrong(enabled: Factor, code: str) -> None:
    assert CODES.after_any(enabled, code, NOW) is None


def test_code_may_be_written_in_two_groups(enabled: Factor, app: TOTP) -> None:
    code = code_of(app, NOW)
    assert CODES.after_totp(enabled, f"{code[:3]} {code[3:]}", NOW)


def test_set_up_code_counts_as_used(pending: Factor, app: TOTP) -> None:
    code = code_of(app, NOW)
    enabled = CODES.enabled(pending, code, NOW)
    assert enabled
    assert CODES.after_totp(enabled, code, NOW) is None
    assert CODES.after_totp(enabled, code, later(20)) is None
    assert CODES.after_totp(enabled, code_of(app, later(-30)), NOW)


def test_step_is_used_once_whatever_the_clocks_say(enabled: Factor, app: TOTP) -> None:
    factor, steps = enabled, range(12)
    for step in steps:
        after = CODES.after_totp(factor, code_of(app, later(30 * step)), later(30 * step))
        assert after
        factor = after
    for step in steps:  # by a clock that is behind
        assert CODES.after_totp(factor, code_of(app, later(30 * step)), later(30 * step)) is None


def test_backup_codes_are_ten_and_each_works_once(enabled: Factor) -> None:
    factor, codes = CODES.with_backup_codes(enabled)
    assert len(set(codes)) == BACKUP_CODES == len(factor.backup_codes)
    for number, code in enumerate(codes):
        assert re.fullmatch(r"[0-9a-f]{4}-[0-9a-f]{4}", code)
        written = [code, code.upper(), code.replace("-", ""), f" {code} "][number % 4]
        used = CODES.after_any(factor, written, NOW)
        assert used
        assert CODES.after_any(used[0], code, NOW) is None
        factor, kind = used
        assert kind == "backup_code"
    assert factor.backup_codes == ()


def test_backup_code_is_stored_as_a_hash_of_this_person(enabled: Factor) -> None:
    factor, codes = CODES.with_backup_codes(enabled)
    assert all(code.replace("-", "") not in repr(factor) for code in codes)


def test_provisioning_uri_names_issuer_and_account(app: TOTP) -> None:
    uri = provisioning_uri(app.secret, "ada@example.com")
    assert uri.startswith(f"otpauth://totp/CallMissed:ada%40example.com?secret={app.secret}")
    assert "issuer=CallMissed" in uri
