"""`make dev` as a developer meets it: one command, a file that says when it answers, and nothing left behind."""

import itertools
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, iso, system_clock
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import CreditsLow
from callmissed.ids import expires_at, new_call_id
from callmissed.ledger.holds import Ledger
from local.engines import ROOT, dynamodb_client
from tests.support.local_stack import GUARD_SECONDS, Desk, launch, running

CHAT = {"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}]}


def gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=15)[1] == []


def refusal(desk: Desk) -> tuple[int, list[str]]:
    """Exit code and last lines of a desk that does not start."""
    code = desk.process.wait(GUARD_SECONDS)
    return code, [line for line in desk.output.read_text().splitlines() if line.startswith("callmissed:")]


def test_the_announcement_says_where_and_with_which_keys(desk: Desk) -> None:
    announcement = desk.announcement
    assert announcement.keys() == {
        "base_url",
        "live_key",
        "test_key",
        "owner_email",
        "owner_password",
        "tenant_id",
        "endpoints",
    }
    assert announcement["live_key"].startswith("cm_live_")
    assert announcement["test_key"].startswith("cm_test_")
    endpoints = announcement["endpoints"]
    assert endpoints["dynamodb"].startswith("http://127.0.0.1:")
    assert endpoints["queues"] == f"{endpoints['aws']}/123456789012"
    for name in ("dev.json", "secrets.json"):
        assert stat.S_IMODE((desk.state / name).stat().st_mode) == 0o600


def test_the_terminal_shows_the_key_and_how_to_call(desk: Desk) -> None:
    shown = desk.output.read_text()
    announcement = desk.announcement
    assert f'-H "Authorization: Bearer {announcement["live_key"]}"' in shown
    assert f'OpenAI(base_url="{announcement["base_url"]}/v1", api_key="{announcement["live_key"]}")' in shown
    assert f'baseURL: "{announcement["base_url"]}/v1"' in shown
    assert announcement["test_key"] in shown


def printed(desk: Desk, title: str) -> str:
    """The text below the rule that begins with `title`."""
    lines = desk.output.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(title) and "──" in line)
    return "\n".join(itertools.takewhile(lambda line: "──" not in line, lines[start + 1 :]))


def run_by_hand(*command: str) -> str:
    """Standard output of `command`, run where the repository is."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=GUARD_SECONDS).stdout


def test_the_printed_curl_line_streams_a_reply(desk: Desk) -> None:
    answer = run_by_hand("/bin/sh", "-c", printed(desk, "curl"))
    assert answer.startswith("data: {")
    assert "data: [DONE]" in answer


def test_the_printed_snippets_stream_a_reply(desk: Desk) -> None:
    python = run_by_hand(sys.executable, "-c", printed(desk, "Python"))
    node = run_by_hand("node", "--input-type=module", "--eval", printed(desk, "Node"))
    assert python.strip() == node.strip() != ""


def test_the_printed_command_shows_the_credits_go_down(desk: Desk) -> None:
    command = printed(desk, "What the calls have cost").splitlines()[0]
    before = json.loads(run_by_hand("/bin/sh", "-c", f"{command} --json"))
    assert desk.post("/v1/chat/completions", CHAT)[0] == 200
    after = json.loads(run_by_hand("/bin/sh", "-c", f"{command} --json"))
    assert after["available"] < before["available"]


def test_a_call_is_served_by_the_real_app_and_billed(desk: Desk) -> None:
    status, answer = desk.post("/v1/chat/completions", CHAT)
    assert status == 200
    assert answer["choices"][0]["message"]["content"]


async def test_a_schedule_run_by_hand_resolves_an_expired_hold(desk: Desk) -> None:
    announcement = desk.announcement
    dynamodb = DynamoDB("us-east-1", announcement["endpoints"]["dynamodb"])
    call = new_call_id(system_clock(), 1)
    try:
        await Ledger(Database(dynamodb, "local")).hold(announcement["tenant_id"], call, "llm", 1000)
    finally:
        await dynamodb.close()
    early = desk.post("/_local/schedules/hold-sweep")[1]
    late = desk.post(f"/_local/schedules/hold-sweep?at={iso(expires_at(call) + SECOND)}")[1]
    assert (early["result"]["voided"], late["result"]["voided"]) == (0, 1)


async def test_the_outbox_can_be_read_from_an_event_on(desk: Desk) -> None:
    dynamodb = DynamoDB("us-east-1", desk.announcement["endpoints"]["dynamodb"])
    tenant, now = desk.announcement["tenant_id"], system_clock()
    low = CreditsLow(available_credits=1.5, threshold_credits=2)
    events = [new_event(tenant, low, now - age * SECOND) for age in (1, 0)]
    try:
        for event in reversed(events):
            assert await publish(Database(dynamodb, "local"), event)
    finally:
        await dynamodb.close()
    older, newer = events
    shown = desk.get("/_local/outbox")[1]["events"]
    mine = [event for event in shown if event["id"] in (older.id, newer.id)]
    assert [event["id"] for event in mine] == [older.id, newer.id]
    assert (mine[0]["tenant"], mine[0]["type"], mine[0]["body"]) == (tenant, "credits.low", older.body)
    rest = desk.get(f"/_local/outbox?after={older.id}")[1]["events"]
    assert newer.id in [event["id"] for event in rest]
    assert older.id not in [event["id"] for event in rest]
    assert desk.get("/_local/outbox?after=evt_unknown")[0] == 404
    assert desk.get("/_local/outbox", Origin="https://example.com")[0] == 403


def test_bad_orders_are_refused(desk: Desk) -> None:
    assert desk.post("/_local/schedules/nope")[0] == 404
    assert desk.post("/_local/schedules/hold-sweep?at=tomorrow")[0] == 400
    assert desk.post("/_local/schedules/hold-sweep", Origin="https://example.com")[0] == 403


def test_an_account_s_route_is_served_by_its_function_after_the_authorizer(desk: Desk) -> None:
    assert desk.get("/api/v1/webhooks")[0] == 200
    assert desk.get("/api/v1/webhooks", Authorization="Bearer cm_live_nonsense")[0] == 401
    assert desk.get("/api/v1/webhooks/event-types")[0] == 200


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = refusal(launch(tmp_path / "state", tmp_path / "output", "--port", str(port)))
    assert (code, len(lines)) == (1, 1)
    assert f"Port {port} is already in use" in lines[0]


def test_a_state_in_use_is_one_clear_line(desk: Desk, tmp_path: Path) -> None:
    code, lines = refusal(launch(desk.state, tmp_path / "output"))
    assert (code, len(lines)) == (1, 1)
    assert "in use by another stack" in lines[0]
    assert desk.post("/v1/chat/completions", CHAT)[0] == 200


def test_a_wrong_providers_file_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    providers = tmp_path / "providers.toml"
    providers.write_text("[providers.lab]\ndialect = 3\n")
    desk = launch(tmp_path / "state", tmp_path / "output", env={"CALLMISSED_PROVIDERS_FILE": str(providers)})
    code, lines = refusal(desk)
    assert (code, len(lines)) == (1, 1), desk.output.read_text()
    assert "providers.toml" in lines[0]
    assert not (desk.state / "dev.json").exists()


def test_a_second_stack_beside_it_killed_started_again_and_ended(desk: Desk, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, tmp_path / "first") as second:
        first = second.announcement
        assert first["base_url"] != desk.announcement["base_url"]
        assert second.post("/v1/chat/completions", CHAT)[0] == 200
        assert desk.post("/v1/chat/completions", CHAT, Authorization=f"Bearer {first['live_key']}")[0] == 401
        family = second.family()
        assert any(process.name() == "java" for process in family)
        assert len([process for process in family if process.name().startswith("python")]) == 1
        second.process.kill()
        assert gone(family)
        assert not (state / "dev.json").exists()
    with running(state, tmp_path / "second", env={"CALLMISSED_STAGE": "prod", "AWS_PROFILE": "nobody"}) as second:
        again = second.announcement
        kept = ("live_key", "test_key", "tenant_id")
        assert [again[name] for name in kept] == [first[name] for name in kept]
        assert deductions(second) == 1
        family = second.family()
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(15) == 0
        assert gone(family)
    assert sorted(path.name for path in state.iterdir()) == [".gitignore", "dynamodb", "lock", "logs", "secrets.json"]


def deductions(desk: Desk) -> int:
    """Billed calls in the desk's ledger."""
    client = dynamodb_client(desk.announcement["endpoints"]["dynamodb"])
    entries = client.scan(TableName="callmissed-local-ledger")["Items"]
    return len([entry for entry in entries if entry["type"] == {"S": "deduction"}])


def test_without_java_it_says_so_and_serves_on_moto(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "sleep"):
        (tools / name).symlink_to(shutil.which(name) or "")
    with running(tmp_path / "state", tmp_path / "output", env={"PATH": str(tools)}) as desk:
        assert "Falling back to moto" in desk.output.read_text()
        assert desk.post("/v1/chat/completions", CHAT)[0] == 200
        assert desk.announcement["endpoints"]["aws"] == desk.announcement["endpoints"]["dynamodb"]
        desk.process.send_signal(signal.SIGINT)
        assert desk.process.wait(15) == 0
