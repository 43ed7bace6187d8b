"""Test keys, whose requests never reach Meta."""

from callmissed.web.caller import Caller, KeyCaller

SANDBOX_HEADER = "X-CallMissed-Sandbox"


def is_sandboxed(caller: Caller) -> bool:
    """Whether the caller's requests never reach Meta."""
    return isinstance(caller, KeyCaller) and caller.mode == "test"
