"""What a process still has to do after Lambda restored it from a snapshot, which is before its first answer."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from callmissed.platform.functions import FUNCTIONS, Function
from local.paths import ROOT

SNAPSHOTTED = [function for function in FUNCTIONS if function.snap_start]
CREDENTIALS = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
NOBODY_HAS_THE_KEY = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}


class Aws(BaseHTTPRequestHandler):
    """Every service that a start asks, the one for credentials included. Its tables are empty."""

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer(200, CREDENTIALS)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.headers["X-Amz-Target"].partition(".")[2]:
            case "GetSecretValue":
                self._answer(200, {"SecretString": "{}" if "provider" in asked["SecretId"] else "00" * 32})
            case "GetParameter":
                self._answer(200, {"Parameter": {"Value": "# none\n"}})
            case "Query":
                self._answer(200, {"Items": []})
            case _:
                self._answer(400, NOBODY_HAS_THE_KEY)

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def aws() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module", params=SNAPSHOTTED, ids=lambda function: function.name)
def report(request: pytest.FixtureRequest, aws: str) -> dict[str, Any]:
    """Report of the process of a snapshot on its first answer."""
    return restored(request.param, aws)


def restored(function: Function, aws: str) -> dict[str, Any]:
    """What the process of a snapshot reports of its first answer."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
        "AWS_ENDPOINT_URL": aws,
        "AWS_REGION": "ap-south-1",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "CALLMISSED_STAGE": "test",
        "CALLMISSED_DYNAMODB_ENDPOINT": aws,
        "CALLMISSED_QUEUE_BASE": f"{aws}/1" if function.sends_to else "",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        **{need.variable: f"ssm:{need.name}" if need.name == "providers" else need.name for need in needs(function)},
        **({"AWS_LWA_PORT": "8080"} if function.web_app else {}),
    }
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-m", "tests.support.restored_process", function.name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def needs(function: Function) -> list[Any]:
    return [need for need in function.needs if need.variable]


def test_restored_process_imports_nothing_before_its_first_answer(report: dict[str, Any]) -> None:
    """Least of all boto3, whose import takes 0.3 s of a CPU of which the process has a half or less."""
    assert report["status"] in (200, 401)
    assert report["new"] == []


def test_snapshot_holds_neither_credentials_nor_connections(report: dict[str, Any]) -> None:
    assert (report["credentials"], report["sockets"]) == (False, 0)
