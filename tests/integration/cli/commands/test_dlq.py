"""`callmissed dlq` on queues of moto's server, as the local stack has them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from callmissed.clock import SECOND
from callmissed.platform.queues import CALLBACK_SOURCE, QUEUES, physical_queue_name
from callmissed.platform.queues.sources import CASHFREE_CALLBACK, OTHER_CALLBACKS
from cli import dead_letter_queues
from cli.commands import dlq
from cli.dead_letter_queues import find_dead_letter_queue, peek, redrive
from cli.main import app
from local.aws.account import STAGE
from local.aws.engines import moto_server
from local.state.folder import Announcement, LocalSecrets, StateFolder

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

DEAD = "callbacks-dead"
OF_ANY_TYPE = "webhook-dispatch-dead"


@dataclass
class StageQueues:
    """Queues of a stage, and a command line for it."""

    sqs: "SQSClient"
    folder: Path
    urls: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["dlq", *words, "--state", str(self.folder)])

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--json")
        assert (result.exit_code, result.exception) == (0, None), result.output
        return json.loads(result.stdout)

    def create(self, *names: str) -> None:
        for name in names:
            self.urls[name] = self.sqs.create_queue(QueueName=physical_queue_name(STAGE, name))["QueueUrl"]

    def put(self, name: str, *bodies: str, **more: Any) -> list[str]:
        """Put messages; returns their ids."""
        return [
            self.sqs.send_message(QueueUrl=self.urls[name], MessageBody=body, **more)["MessageId"] for body in bodies
        ]

    def take(self, name: str) -> list[dict[str, Any]]:
        """Take all messages that can be received at once."""
        taken: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.urls[name], MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            taken += cast("list[dict[str, Any]]", messages)
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.urls[name], ReceiptHandle=message.get("ReceiptHandle", ""))
        return taken

    def bodies(self, name: str) -> list[str]:
        return sorted(message["Body"] for message in self.take(name))


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto_server(tmp_path_factory.mktemp("moto") / "moto.log") as endpoint:
        yield endpoint


@pytest.fixture
def queues(moto: str, tmp_path: Path) -> Iterator[StageQueues]:
    state = StateFolder(tmp_path)
    state.store_secrets(LocalSecrets())
    endpoints = {"dynamodb": "http://127.0.0.1:1", "aws": moto, "queues": f"{moto}/123456789012"}
    announced = Announcement(
        base_url="http://127.0.0.1:1", live_key="", test_key="", tenant_id="t", endpoints=endpoints
    )
    state.announce(announced)
    sqs: SQSClient = boto3.client("sqs", endpoint_url=moto, region_name="us-east-1")  # pyright: ignore
    queues = StageQueues(sqs, tmp_path)
    queues.create(*(name for queue in QUEUES for name in (queue.name, queue.dead_letters)), "undelivered")
    yield queues
    for url in queues.urls.values():
        sqs.delete_queue(QueueUrl=url)


def test_every_queue_is_listed_with_its_depth_and_age(queues: StageQueues) -> None:
    queues.create("ledger-sweep-failures")
    queues.put(DEAD, "a", "b", "c")
    queues.put("undelivered", "d")

    rows = {row["queue"]: row for row in queues.json("list")}

    assert list(rows) == [*(queue.dead_letters for queue in QUEUES), "ledger-sweep-failures", "undelivered"]
    assert {name: row["messages"] for name, row in rows.items() if row["messages"]} == {DEAD: 3, "undelivered": 1}
    assert rows[DEAD]["source"] == "callbacks"
    assert rows[DEAD]["oldest_at"] is not None
    assert rows["webhook-dispatch-dead"]["oldest_at"] is None
    assert queues.bodies(DEAD) == ["a", "b", "c"]


def test_the_age_is_that_of_the_oldest(queues: StageQueues) -> None:
    queues.put(DEAD, "a")
    queue = find_dead_letter_queue(queues.sqs, STAGE, DEAD)
    assert queue is not None
    (message,) = peek(queue, 1)

    row = dlq._queue_row(queue, dead_letter_queues.sent_at(message) + 90 * SECOND)

    assert row["age_seconds"] == 90


def test_showing_leaves_messages_where_they_are(queues: StageQueues) -> None:
    ids = queues.put(DEAD, *(f'{{"n": {number}}}' for number in range(12)), MessageGroupId="tnt_1")
    attribute = {"Why": {"DataType": "String", "StringValue": "broken"}}
    ids += queues.put(DEAD, "last", MessageAttributes=attribute)

    looks = [queues.json("show", DEAD, "--limit", "13") for _ in range(2)]

    assert [{row["id"] for row in rows} for rows in looks] == [set(ids)] * 2
    by_body = {row["body"]: row for row in looks[1]}
    assert by_body["last"]["attributes"] == {"Why": "broken"}
    assert by_body['{"n": 3}']["receive_count"] == 2
    assert by_body['{"n": 3}']["sent_at"].endswith("Z")
    assert len(queues.json("show", DEAD, "--limit", "3")) == 3
    assert len(queues.take(DEAD)) == 13


def test_a_person_sees_bodies_as_they_are(queues: StageQueues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    queues.put(DEAD, '{"detail": {"id": "cbk_[red]1"}}')

    assert '{"detail": {"id": "cbk_[red]1"}}' in queues.run("show", DEAD).stdout


def test_all_messages_go_back_with_their_attributes(queues: StageQueues) -> None:
    attribute = {"Why": {"DataType": "String", "StringValue": "broken"}}
    queues.put(DEAD, *(str(number) for number in range(25)), MessageAttributes=attribute)

    assert queues.json("redrive", DEAD) == {"queue": DEAD, "moved": 25, "left": 0}

    assert queues.take(DEAD) == []
    moved = queues.take("callbacks")
    assert {message["Body"] for message in moved} == {str(number) for number in range(25)}
    assert moved[0]["MessageAttributes"]["Why"]["StringValue"] == "broken"


def test_an_event_goes_to_the_queue_that_takes_its_type_now(queues: StageQueues) -> None:
    def event(kind: str) -> str:
        return json.dumps({"source": CALLBACK_SOURCE, "detail-type": kind, "detail": {"id": "cbk_1"}})

    others = [event(OTHER_CALLBACKS[0]), event("callback.nobody"), "[]"]
    queues.put(DEAD, event(CASHFREE_CALLBACK), *others)

    assert queues.json("redrive", DEAD)["moved"] == 4

    assert queues.bodies("payments") == [event(CASHFREE_CALLBACK)]
    assert queues.bodies("callbacks") == sorted(others)


def test_a_person_sees_the_progress(queues: StageQueues) -> None:
    queues.put(DEAD, "a")

    result = queues.run("redrive", DEAD)

    assert "Moving" in result.stderr
    assert "100%" in result.stderr


def test_a_limited_redrive_leaves_the_other_messages_visible(queues: StageQueues) -> None:
    queues.put(DEAD, *(str(number) for number in range(9)))

    assert queues.json("redrive", DEAD, "--limit", "4") == {"queue": DEAD, "moved": 4, "left": 5}

    assert (len(queues.take("callbacks")), len(queues.take(DEAD))) == (4, 5)


def test_messages_that_are_named_go_back(queues: StageQueues) -> None:
    ids = queues.put(DEAD, *(str(number) for number in range(15)))

    result = queues.run("redrive", DEAD, "--id", ids[2], "--id", ids[14], "--id", "unknown", "--json")

    assert json.loads(result.stdout) == {"queue": DEAD, "moved": 2, "left": 13}
    assert "1 of the messages were not found" in result.stderr
    assert queues.bodies("callbacks") == ["14", "2"]
    assert len(queues.take(DEAD)) == 13


def test_undelivered_events_go_to_the_queue_that_the_bus_could_not_reach(queues: StageQueues) -> None:
    def target(name: str) -> dict[str, Any]:
        return {"TARGET_ARN": {"DataType": "String", "StringValue": f"arn:aws:sqs:us-east-1:123456789012:{name}"}}

    queues.put("undelivered", "event", MessageAttributes=target(physical_queue_name(STAGE, "callbacks")))
    queues.put("undelivered", "elsewhere", MessageAttributes=target("of-another-stage"))
    queues.put("undelivered", "schedule")

    result = queues.run("redrive", "undelivered", "--json")

    assert json.loads(result.stdout) == {"queue": "undelivered", "moved": 1, "left": 2}
    assert "2 messages stay" in result.stderr
    assert queues.bodies("callbacks") == ["event"]


class Broken:
    """SQS that fails at one operation, after `good` times."""

    def __init__(self, sqs: "SQSClient", operation: str, good: int) -> None:
        self._sqs = sqs
        self._operation = operation
        self._good = good

    def __getattr__(self, name: str) -> Any:
        if name != self._operation:
            return getattr(self._sqs, name)
        self._good -= 1
        if self._good < 0:
            raise ClientError({"Error": {"Code": "InternalError", "Message": "broken"}}, name)
        return getattr(self._sqs, name)


@pytest.mark.parametrize(("operation", "twice"), [("send_message", 0), ("delete_message", 1)])
def test_a_redrive_that_breaks_off_loses_nothing(queues: StageQueues, operation: str, twice: int) -> None:
    queues.put(DEAD, *(str(number) for number in range(6)))
    queue = find_dead_letter_queue(cast("SQSClient", Broken(queues.sqs, operation, 3)), STAGE, DEAD)
    assert queue is not None

    with pytest.raises(ClientError, match="broken"):
        redrive(queue, limit=None, ids=(), progress=lambda done: None)
    assert queues.json("redrive", DEAD)["left"] == 0

    moved = [message["Body"] for message in queues.take("callbacks")]
    assert set(moved) == {str(number) for number in range(6)}
    assert len(moved) == 6 + twice


def test_a_message_that_comes_back_meanwhile_waits_for_the_next_redrive(
    queues: StageQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.put(DEAD, "a", "b", "c")
    send = dead_letter_queues._send

    def send_and_fail_again(queue: Any, destination: str, message: Any) -> None:
        send(queue, destination, message)
        queues.put(DEAD, message["Body"])

    monkeypatch.setattr(dead_letter_queues, "_send", send_and_fail_again)

    assert queues.json("redrive", DEAD) == {"queue": DEAD, "moved": 3, "left": 3}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("show", "nothing"), "There is no queue of dead letters 'nothing'. There are: event-fanout-dead,"),
        (("show", "ledger-sweep-failures"), "The stage 'local' has no queue 'ledger-sweep-failures'."),
        (("redrive", "ledger-sweep-failures"), "has no queue"),
    ],
)
def test_an_unknown_queue_is_one_line(queues: StageQueues, words: tuple[str, ...], reason: str) -> None:
    result = queues.run(*words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_failures_of_a_function_came_from_no_queue(queues: StageQueues) -> None:
    queues.create("ledger-sweep-failures")
    queues.put("ledger-sweep-failures", "x")

    result = queues.run("redrive", "ledger-sweep-failures")

    assert result.exit_code == 1
    assert "came from no queue" in result.stderr
    assert queues.bodies("ledger-sweep-failures") == ["x"]


class MovingSqs:
    """SQS that moves messages by itself, a few at a look: moto does not."""

    def __init__(self, *looks: dict[str, Any]) -> None:
        self.looks = list(looks)
        self.started: list[str] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803  SQS's names
        return {"QueueUrl": f"http://127.0.0.1:1/{QueueName}"}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        waiting = "0" if self.started and not self.looks else "5"
        return {"Attributes": {"QueueArn": "arn:dead", "ApproximateNumberOfMessages": waiting}}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {}

    def start_message_move_task(self, SourceArn: str) -> None:  # noqa: N803
        self.started.append(SourceArn)

    def list_message_move_tasks(self, **_: Any) -> dict[str, Any]:
        return {"Results": [self.looks.pop(0)]}

    class exceptions:  # noqa: N801
        QueueDoesNotExist = ClientError


def redrive_deployed(sqs: MovingSqs, monkeypatch: pytest.MonkeyPatch, queue: str = OF_ANY_TYPE) -> Result:
    monkeypatch.setattr("callmissed.aws.clients.client", lambda *_: sqs)
    monkeypatch.setattr("cli.commands.dlq._POLL_SECONDS", 0)
    return CliRunner().invoke(app, ["dlq", "redrive", queue, "--stage", "prod", "--json"])


def test_on_a_deployed_stage_sqs_moves_all_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [("RUNNING", 2), ("COMPLETED", 5)]
    sqs = MovingSqs(*({"Status": name, "ApproximateNumberOfMessagesMoved": moved} for name, moved in looks))

    result = redrive_deployed(sqs, monkeypatch)

    assert json.loads(result.stdout) == {"queue": OF_ANY_TYPE, "moved": 5, "left": 0}
    assert sqs.started == ["arn:dead"]


def test_sqs_moves_nothing_by_itself_where_another_queue_may_take_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = MovingSqs()

    result = redrive_deployed(sqs, monkeypatch, DEAD)

    assert (json.loads(result.stdout)["moved"], sqs.started) == (0, [])


def test_a_move_that_sqs_stops_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = MovingSqs({"Status": "FAILED", "ApproximateNumberOfMessagesMoved": 1, "FailureReason": "AccessDenied"})

    result = redrive_deployed(sqs, monkeypatch)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "SQS stopped after 1 messages: AccessDenied" in result.stderr
