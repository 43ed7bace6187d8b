"""What we sign is accepted by the official libraries and by the guide's receivers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from functions.webhooks.delivery.signing import headers
from tests.support.local_stack import GUARD_SECONDS
from tests.support.webhooks.receivers import (
    SECRET,
    SOURCES,
    Receiver,
    Verifier,
    build_go,
    guide_snippet,
    node_receiver_that_verifies_simply,
    npm,
    pypi,
    python_receiver,
    receiver,
    run_receiver,
)

pytestmark = pytest.mark.xdist_group("receivers")
"""Building the receiver in Go takes half a minute, which one worker should spend."""

OTHER_SECRET = "whsec_" + "/+" * 21 + "8="
NUMBERS = count(1)

Headers = dict[str, str]
Request = tuple[Headers, bytes]


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_go(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module", params=["receive.py", "receive.py with library", "receive.mjs", "receive.go"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One receiver after the other, as a process of its own."""
    folder = tmp_path_factory.mktemp("receiver")
    match request.param:
        case "receive.py":
            command = [sys.executable, SOURCES / "receive.py"]
        case "receive.py with library":
            program = folder / "receive.py"
            program.write_text(python_receiver(guide_snippet("python", "standardwebhooks")))
            command = [sys.executable, program]
        case "receive.mjs":
            command = ["node", SOURCES / "receive.mjs"]
        case _:
            command = [request.getfixturevalue("go_program")]
    with receiver(command, folder / "errors") as server:
        yield server


@pytest.fixture(scope="module", params=["python", "node"])
def simple_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The receivers with the guide's check of `X-CallMissed-Signature` instead."""
    folder = tmp_path_factory.mktemp("simple")
    if request.param == "python":
        program, command = folder / "receive.py", sys.executable
        snippet = guide_snippet("python", "verified_simply")
        program.write_text(python_receiver(snippet, "verified = verified_simply"))
    else:
        program, command = folder / "receive.mjs", "node"
        program.write_text(node_receiver_that_verifies_simply())
    with receiver([command, program], folder / "errors") as server:
        yield server


def signed(*secrets: str, id: str | None = None, age_seconds: int = 0) -> Request:
    """A request that was signed so long ago, for an event that nobody had before."""
    number = next(NUMBERS)
    data = {"marker": f"<{number}>", "text": "₹5 नमस्ते \u2028 end."}
    event = {"id": f"evt_{number}", "event": "message.received", "version": 1, "data": data}
    body = json.dumps(event, ensure_ascii=False).encode()
    sent = int(time.time()) - age_seconds
    return headers(secrets or [SECRET], id or f"dlv_{number:022}", "message.received", body, sent), body


def marker(request: Request) -> str:
    return json.loads(request[1])["data"]["marker"]


def without(name: str) -> Callable[[], Request]:
    def made() -> Request:
        named, body = signed()
        return {other: value for other, value in named.items() if other != name}, body

    return made


def with_other(name: str, change: Callable[[str], str]) -> Callable[[], Request]:
    def made() -> Request:
        named, body = signed()
        assert change(named[name]) != named[name]
        return named | {name: change(named[name])}, body

    return made


def with_other_body() -> Request:
    named, body = signed()
    return named, body.replace(b"end.", b"end!")


FORGED = {
    "changed byte": with_other_body,
    "wrong secret": lambda: signed(OTHER_SECRET),
    "too old": lambda: signed(age_seconds=310),
    "too new": lambda: signed(age_seconds=-310),
    "no id": without("webhook-id"),
    "no timestamp": without("webhook-timestamp"),
    "no signature": without("webhook-signature"),
    "other id": with_other("webhook-id", lambda id: f"{id}0"),
    "other timestamp": with_other("webhook-timestamp", lambda text: str(int(text) - 1)),
    "timestamp in words": with_other("webhook-timestamp", lambda _: "now"),
    "endless timestamp": with_other("webhook-timestamp", lambda _: "9" * 5000),
    "other version": with_other("webhook-signature", lambda text: text.replace("v1,", "v1a,")),
    "cut signature": with_other("webhook-signature", lambda text: text[:-4]),
    "no bytes in the signature": with_other("webhook-signature", lambda _: "v1,"),
}


@pytest.fixture(params=[pypi, npm], ids=["pypi", "npm"])
def library(request: pytest.FixtureRequest) -> Verifier:
    return request.param


def test_official_libraries_accept(library: Verifier) -> None:
    assert library(*signed())


@pytest.mark.parametrize("case", FORGED)
def test_official_libraries_refuse(library: Verifier, case: str) -> None:
    assert not library(*FORGED[case]())


@pytest.mark.parametrize("secrets", [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)], ids=["newer", "older"])
def test_official_libraries_accept_either_secret_during_a_rotation(library: Verifier, secrets: tuple[str, str]) -> None:
    assert library(*signed(*secrets))


def test_receivers_accept_and_handle(server: Receiver) -> None:
    request = signed()

    assert server(*request)

    line = server.handled_until(marker(request))[-1]
    assert line.startswith("message.received ")
    assert "₹5 नमस्ते" in line


def test_receivers_handle_a_test(server: Receiver) -> None:
    """Its body has neither `id` nor `version`."""
    body = b'{"event":"test","timestamp":"2026-11-25T09:30:00.000Z","data":{"message":"This is a test."}}'

    assert server(headers([SECRET], f"dlv_{next(NUMBERS):022}", "test", body, int(time.time())), body)

    assert server.handled_until("This is a test.")[-1].startswith("test ")


@pytest.mark.parametrize("case", FORGED)
def test_receivers_refuse_and_do_not_handle(server: Receiver, case: str) -> None:
    forged, real = FORGED[case](), signed()

    assert not server(*forged)
    assert server(*real)

    assert not [line for line in server.handled_until(marker(real)) if marker(forged) in line]


@pytest.mark.parametrize("secrets", [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)], ids=["newer", "older"])
def test_receivers_know_either_secret_during_a_rotation(server: Receiver, secrets: tuple[str, str]) -> None:
    assert server(*signed(*secrets))


def test_receivers_handle_a_delivery_once(server: Receiver) -> None:
    first, other = signed(id="dlv_once", age_seconds=20), signed()
    named, body = first
    again = headers([SECRET], named["webhook-id"], "message.received", body, int(time.time()))

    assert all(server(*request) for request in (first, (again, body), first, other))

    assert sum(marker(first) in line for line in server.handled_until(marker(other))) == 1


@pytest.fixture(params=["receive.py", "receive.mjs", "receive.go"])
def program(request: pytest.FixtureRequest, go_program: Path) -> list[str | Path]:
    """The command that starts a receiver."""
    programs = {"receive.py": [sys.executable], "receive.mjs": ["node"]}
    return [*programs[request.param], SOURCES / request.param] if request.param in programs else [go_program]


@pytest.mark.parametrize(
    "secret", [None, "", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_****", "whsec_abcde"]
)
def test_receivers_do_not_start_without_a_secret(program: list[str | Path], secret: str | None) -> None:
    done = run_receiver(program, secret)

    assert done.returncode not in (0, None)
    assert done.stderr == "CALLMISSED_WEBHOOK_SECRET must be the webhook's secret, which begins with whsec_\n"


def test_receivers_name_a_port_that_is_taken(program: list[str | Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_receiver(program, SECRET, PORT=port)

    assert done.returncode not in (0, None)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"port {port}: ")


@pytest.mark.parametrize("port", ["abc", "-1", "99999"])
def test_receivers_name_a_port_that_is_none(program: list[str | Path], port: str) -> None:
    done = run_receiver(program, SECRET, PORT=port)

    assert done.returncode not in (0, None)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"port {port}: ")


def test_a_receiver_ends_quietly_when_it_is_interrupted(program: list[str | Path]) -> None:
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "CALLMISSED_WEBHOOK_SECRET": SECRET}
    pipe = subprocess.PIPE
    with subprocess.Popen(program, env=environment, stdout=pipe, stderr=pipe, text=True) as receiver:
        assert receiver.stdout
        assert receiver.stdout.readline().startswith("listening on ")
        receiver.send_signal(signal.SIGINT)
        assert receiver.communicate(timeout=GUARD_SECONDS)[1] == ""


def test_a_receiver_names_the_library_that_is_not_installed(tmp_path: Path) -> None:
    program = tmp_path / "receive.py"
    program.write_text(python_receiver(guide_snippet("python", "standardwebhooks")))

    done = run_receiver([sys.executable, "-I", "-S", program], SECRET)

    assert done.returncode not in (0, None)
    assert done.stderr == "standardwebhooks is not installed: pip install standardwebhooks\n"


@pytest.mark.parametrize("secrets", [(SECRET,), (SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)])
def test_the_simple_check_accepts_every_live_secret(simple_server: Receiver, secrets: tuple[str, ...]) -> None:
    request = signed(*secrets)

    assert simple_server(*request)
    assert simple_server.handled_until(marker(request))


@pytest.mark.parametrize(
    "forge",
    [
        with_other_body,
        lambda: signed(OTHER_SECRET),
        without("X-CallMissed-Signature"),
        with_other("X-CallMissed-Signature", lambda text: text.removeprefix("sha256=")),
        with_other("X-CallMissed-Signature", lambda text: text[:-1]),
    ],
    ids=["changed byte", "wrong secret", "no signature", "no scheme", "cut signature"],
)
def test_the_simple_check_refuses(simple_server: Receiver, forge: Callable[[], Request]) -> None:
    assert not simple_server(*forge())
