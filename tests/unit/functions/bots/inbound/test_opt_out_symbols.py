"""Symbols and invisible characters around the words of an opt-out."""

import pytest

from functions.bots.inbound.opt_out import is_one_of


@pytest.mark.parametrize("text", ["STOP ✋️", "STOP ⛔️", "STOP❤️", "बंद\u200c करो", "S\u200bTOP", "STOP\u200d"])
def test_symbols_do_not_hide_an_opt_out(text: str) -> None:
    assert is_one_of(text, ["STOP", "बंद करो"])
