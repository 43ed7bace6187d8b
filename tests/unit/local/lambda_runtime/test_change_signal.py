"""The signal between threads."""

from local.lambda_runtime.change_signal import ChangeSignal

GUARD_SECONDS = 60


def test_a_change_signal_wakes_a_waiting_thread() -> None:
    changes = ChangeSignal()
    assert changes.wait(0, 0.0) == 0
    changes.notify()
    assert changes.wait(0, GUARD_SECONDS) == 1
