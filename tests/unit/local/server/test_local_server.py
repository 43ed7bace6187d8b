"""What the local stack's web server logs."""

import logging
from logging.config import dictConfig

import pytest

from local.server import local_server


def test_failures_are_written_without_their_texts(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("uvicorn", "uvicorn.error", "callmissed.local")
    dictConfig(local_server._LOGS)  # pyright: ignore[reportPrivateUsage]
    try:
        for name in names:
            try:
                raise ValueError(f"secret-{4711}")
            except ValueError:
                logging.getLogger(name).exception("failed in %s", name)
    finally:
        for name in ("uvicorn", "callmissed.local"):
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True

    written = capfd.readouterr()
    assert all(f"failed in {name}" in written.err for name in names)
    assert written.err.count("ValueError") == len(names)
    assert "secret-4711" not in written.err + written.out
