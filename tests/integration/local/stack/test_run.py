"""`make dev` as a developer meets it: one command, a file that says when it answers, and nothing left behind."""

import itertools
import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros, iso, system_clock
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import CreditsLow
from callmissed.ids import expires_at, new_call_id
from callmissed.keys.secret import Mode, new_secret
from callmissed.ledger.holds import Ledger
from callmissed.money import MicroCredits
from callmissed.platform.routes import ROUTES, Auth, Route
from local.aws.tables import dynamodb_client
from local.paths import ROOT
from tests.support.event_source_mappings import wait_for
from tests.support.local_stack import GUARD_SECONDS, LocalStack, launch, running

CHAT = {"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}]}


def gone(processes: list[psutil.Process]) -> bool:
    return psutil.wait_procs(processes, timeout=15)[1] == []


def refusal(local_stack: LocalStack) -> tuple[int, list[str]]:
    """Exit code and last lines of a local stack that does not start."""
    code = local_stack.process.wait(GUARD_SECONDS)
    return code, [line for line in local_stack.output.read_text().splitlines() if line.startswith("callmissed:")]


def test_the_announcement_says_where_and_with_which_keys(local_stack: LocalStack) -> None:
    announcement = local_stack.announcement
    assert announcement.keys() == {
        "base_url",
        "localhost_url",
        "live_key",
        "test_key",
        "owner_email",
        "owner_password",
        "tenant_id",
        "endpoints",
        "whatsapp",
    }
    assert announcement["live_key"].startswith("cm_live_")
    assert announcement["test_key"].startswith("cm_test_")
    endpoints = announcement["endpoints"]
    assert endpoints["dynamodb"].startswith("http://127.0.0.1:")
    assert endpoints["queues"] == f"{endpoints['aws']}/123456789012"
    for name in ("dev.json", "secrets.json"):
        assert stat.S_IMODE((local_stack.state / name).stat().st_mode) == 0o600


def test_a_customer_writes_to_the_stacks_number(local_stack: LocalStack) -> None:
    announcement = local_stack.announcement
    whatsapp, graph = announcement["whatsapp"], announcement["endpoints"]["graph"]
    assert whatsapp.keys() == {"waba_id", "phone_number_id", "access_token", "app_secret", "verify_token"}
    page = urllib.request.urlopen(f"{announcement['base_url']}/_local/phone/")
    assert page.url == f"{graph}/_graph/phone/"
    chat = f"{graph}/_graph/phones/919811111111/messages"
    body = json.dumps({"text": "Do you bake on Sundays?"}).encode()
    written = json.load(urllib.request.urlopen(urllib.request.Request(chat, body)))

    def texts() -> list[str]:
        events = local_stack.get("/_local/outbox")[1]["events"]
        received = [json.loads(event["body"])["data"] for event in events if event["type"] == "message.received"]
        return [data["text"] for data in received if data["message_id"] == written["wamid"]]

    wait_for(lambda: texts() == ["Do you bake on Sundays?"])


def test_the_terminal_shows_the_key_and_how_to_call(local_stack: LocalStack) -> None:
    shown = local_stack.output.read_text()
    announcement = local_stack.announcement
    assert f'-H "Authorization: Bearer {announcement["live_key"]}"' in shown
    assert f'OpenAI(base_url="{announcement["base_url"]}/v1", api_key="{announcement["live_key"]}")' in shown
    assert f'baseURL: "{announcement["base_url"]}/v1"' in shown
    assert announcement["test_key"] in shown


def printed(local_stack: LocalStack, title: str) -> str:
    """The text below the rule that begins with `title`."""
    lines = local_stack.output.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(title) and "──" in line)
    return "\n".join(itertools.takewhile(lambda line: "──" not in line, lines[start + 1 :]))


def run_by_hand(*command: str) -> str:
    """Standard output of `command`, run where the repository is."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=GUARD_SECONDS).stdout


def test_the_printed_curl_line_streams_a_reply(local_stack: LocalStack) -> None:
    answer = run_by_hand("/bin/sh", "-c", printed(local_stack, "curl"))
    assert answer.startswith("data: {")
    assert "data: [DONE]" in answer


def test_the_printed_snippets_stream_a_reply(local_stack: LocalStack) -> None:
    python = run_by_hand(sys.executable, "-c", printed(local_stack, "Python"))
    node = run_by_hand("node", "--input-type=module", "--eval", printed(local_stack, "Node"))
    assert python.strip() == node.strip() != ""


def test_the_printed_command_shows_the_credits_go_down(local_stack: LocalStack) -> None:
    command = printed(local_stack, "What the calls have cost").splitlines()[0]
    before = json.loads(run_by_hand("/bin/sh", "-c", f"{command} --json"))
    assert local_stack.post("/v1/chat/completions", CHAT)[0] == 200
    after = json.loads(run_by_hand("/bin/sh", "-c", f"{command} --json"))
    assert Decimal(after["available"]) < Decimal(before["available"])


def test_the_announced_owner_signs_in_and_invites_by_the_command_line(local_stack: LocalStack) -> None:
    announced = local_stack.announcement
    login = {"email": announced["owner_email"], "password": announced["owner_password"]}
    status, signed_in = local_stack.post("/api/v1/auth/login", login)
    assert status == 200
    shown = local_stack.output.read_text()
    assert announced["owner_email"] in shown
    assert announced["owner_password"] in shown

    command = [str(Path(sys.executable).with_name("callmissed")), "users", "invite"]
    person = ["--email", "grace@example.com", "--name", "Grace", "--state", str(local_stack.state), "--json"]
    invited = json.loads(run_by_hand(*command, *person))

    token = {"Authorization": f"Bearer {signed_in['access_token']}"}
    assert invited["id"] in [user["id"] for user in local_stack.get("/api/v1/users", **token)[1]]
    outbox = local_stack.state / "outbox"
    wait_for(lambda: any("grace@example.com" in mail.read_text() for mail in outbox.glob("*.json")))


def test_the_terminal_shows_which_models_can_be_called(local_stack: LocalStack) -> None:
    shown = " ".join(local_stack.output.read_text().replace("│", " ").split())  # a box around lines that are folded
    models = local_stack.get("/api/v1/models")[1]["data"]
    available = sorted((model for model in models if model["available"]), key=lambda model: model["category"] != "llm")
    live = [model["id"] for model in available]
    assert f"models {', '.join(live)}" in shown
    assert f"{len(models) - len(live)} others lack" in shown


def test_a_call_of_a_model_without_a_key_names_the_variable(local_stack: LocalStack) -> None:
    status, body = local_stack.post("/v1/chat/completions", CHAT | {"model": "gpt-oss-120b"})
    assert status == 503
    assert "GROQ_API_KEY" in json.loads(body)["error"]["message"]


def test_a_call_is_served_by_the_real_app_and_billed(local_stack: LocalStack) -> None:
    status, answer = local_stack.post("/v1/chat/completions", CHAT)
    assert status == 200
    assert answer["choices"][0]["message"]["content"]


def logged(local_stack: LocalStack, text: str) -> list[str]:
    """Lines of calls that hold the text; they follow the response."""
    give_up = time.monotonic() + GUARD_SECONDS
    while not (found := [line for line in local_stack.output.read_text().splitlines() if text in line]):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("streamed", [False, True])
def test_each_call_is_one_line_in_the_terminal(local_stack: LocalStack, streamed: bool) -> None:
    headers = {"Authorization": f"Bearer {local_stack.announcement['live_key']}", "Content-Type": "application/json"}
    url = f"{local_stack.announcement['base_url']}/v1/chat/completions?verify_token=hush"
    request = urllib.request.Request(url, json.dumps(CHAT | {"stream": streamed}).encode(), headers)
    with urllib.request.urlopen(request, timeout=GUARD_SECONDS) as answer:
        request_id, call = answer.headers["x-request-id"], answer.headers["x-generation-id"]
        answer.read()
    (line,) = logged(local_stack, request_id)
    cost = local_stack.get(f"/v1/generation?id={call}")[1]["data"]["cost_credits"]
    pattern = rf"\d\d:\d\d:\d\d  POST /v1/chat/completions  200  \d+ ms  sandbox  (\S+) credits  {request_id}"
    assert (found := re.fullmatch(pattern, line)), line
    assert Decimal(found[1]) == Decimal(str(cost)) > 0
    assert "\x1b" not in local_stack.output.read_text()


def test_a_refused_call_is_one_line_too(local_stack: LocalStack) -> None:
    body = local_stack.get("/v1/models", Authorization="Bearer cm_live_hush")[1]
    request_id = json.loads(body)["error"]["request_id"]
    (line,) = logged(local_stack, request_id)
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  GET /v1/models  401  \d+ ms  -  -  {request_id}", line), line
    assert "hush" not in local_stack.output.read_text()


async def test_a_schedule_run_by_hand_resolves_an_expired_hold(local_stack: LocalStack) -> None:
    announcement = local_stack.announcement
    dynamodb = DynamoDB("us-east-1", announcement["endpoints"]["dynamodb"])
    call = new_call_id(system_clock(), 1)
    try:
        await Ledger(Database(dynamodb, "local")).hold(announcement["tenant_id"], call, "llm", MicroCredits(1000))
    finally:
        await dynamodb.close()
    early = local_stack.post("/_local/schedules/hold-sweep")[1]
    late = local_stack.post(f"/_local/schedules/hold-sweep?at={iso(Micros(expires_at(call) + SECOND))}")[1]
    assert (early["result"]["voided"], late["result"]["voided"]) == (0, 1)


async def test_the_outbox_can_be_read_from_an_event_on(local_stack: LocalStack) -> None:
    dynamodb = DynamoDB("us-east-1", local_stack.announcement["endpoints"]["dynamodb"])
    tenant, now = local_stack.announcement["tenant_id"], system_clock()
    low = CreditsLow(available_credits=1.5, threshold_credits=2)
    events = [new_event(tenant, low, Micros(now - age * SECOND)) for age in (1, 0)]
    try:
        for event in reversed(events):
            assert await publish(Database(dynamodb, "local"), event)
    finally:
        await dynamodb.close()
    older, newer = events
    shown = local_stack.get("/_local/outbox")[1]["events"]
    mine = [event for event in shown if event["id"] in (older.id, newer.id)]
    assert [event["id"] for event in mine] == [older.id, newer.id]
    assert (mine[0]["tenant"], mine[0]["type"], mine[0]["body"]) == (tenant, "credits.low", older.body)
    rest = local_stack.get(f"/_local/outbox?after={older.id}")[1]["events"]
    assert newer.id in [event["id"] for event in rest]
    assert older.id not in [event["id"] for event in rest]
    assert local_stack.get("/_local/outbox?after=evt_unknown")[0] == 404
    assert local_stack.get("/_local/outbox", Origin="https://example.com")[0] == 403


def page(local_stack: LocalStack, path: str) -> str:
    with urllib.request.urlopen(local_stack.announcement["base_url"] + path, timeout=GUARD_SECONDS) as answer:
        return answer.read().decode()


def test_the_base_url_and_docs_lead_somewhere_and_hold_no_secret(local_stack: LocalStack) -> None:
    base_url, live_key = (local_stack.announcement[name] for name in ("base_url", "live_key"))
    start = page(local_stack, "/")
    leads = re.findall(rf"^{base_url}(/\S+)", start, re.MULTILINE)
    assert {"/docs", "/openapi.json", "/api/v1/models"} < set(leads)
    for path in leads:
        if path != "/v1":  # the SDK's base
            assert page(local_stack, path)
    docs = page(local_stack, "/docs")
    assert all(f"<td>{route.method}</td><td>{shown(route.path)}</td>" in docs for route in documented())
    assert live_key not in start + docs


def shown(path: str) -> str:
    return path.replace("+}", "}")


def documented() -> list[Route]:
    return [route for route in ROUTES if route.auth is not Auth.SIGNED]


@pytest.mark.parametrize(
    ("path", "key", "message"),
    [
        ("/v1/chat/completion", None, "POST /v1/chat/completion. Did you mean POST /v1/chat/completions?"),
        ("/v1/chat/completions", "", "No API key provided."),
        ("/v1/chat/completions", "sk-proj-1", "not one of this service"),
        ("/v1/chat/completions", "cm_live_1", "mistyped or cut off"),
        ("/v1/chat/completions", new_secret(Mode.LIVE), "unknown, paused, revoked or expired"),
        ("/api/v1/webhooks", "sk-proj-1", "Send an API key that begins with 'cm_live_'"),
        ("/api/v1/webhooks", new_secret(Mode.LIVE), "unknown, paused, revoked or expired"),
    ],
    ids=[
        "path",
        "no key",
        "foreign key",
        "mistyped key",
        "unknown key",
        "foreign key, account",
        "unknown key, account",
    ],
)
def test_a_wrong_path_or_key_is_explained(local_stack: LocalStack, path: str, key: str | None, message: str) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    status, body = local_stack.post(path, CHAT, **headers)
    assert status == (404 if key is None else 401)
    assert message in json.loads(body)["error"]["message"]


def test_bad_requests_to_admin_routes_are_refused(local_stack: LocalStack) -> None:
    assert local_stack.post("/_local/schedules/nope")[0] == 404
    assert local_stack.post("/_local/schedules/hold-sweep?at=tomorrow")[0] == 400
    assert local_stack.post("/_local/schedules/hold-sweep", Origin="https://example.com")[0] == 403


def test_an_account_s_route_is_served_by_its_function_after_the_authorizer(local_stack: LocalStack) -> None:
    assert local_stack.get("/api/v1/webhooks")[0] == 200
    assert local_stack.get("/api/v1/webhooks", Authorization="Bearer cm_live_nonsense")[0] == 401
    assert local_stack.get("/api/v1/webhooks/event-types")[0] == 200


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = refusal(launch(tmp_path / "state", tmp_path / "output", "--port", str(port)))
    assert (code, len(lines)) == (1, 1)
    assert f"Port {port} is already in use" in lines[0]


def test_a_state_in_use_is_one_clear_line(local_stack: LocalStack, tmp_path: Path) -> None:
    code, lines = refusal(launch(local_stack.state, tmp_path / "output"))
    assert (code, len(lines)) == (1, 1)
    assert "in use by another stack" in lines[0]
    assert local_stack.post("/v1/chat/completions", CHAT)[0] == 200


@pytest.mark.parametrize("name", ["file/state", "foreign"])
def test_a_state_folder_that_cant_be_used_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / ".gitignore").write_text("node_modules\n")

    local_stack = launch(tmp_path / name, tmp_path / "output", "--port", "0", "--reset")

    code, lines = refusal(local_stack)
    assert (code, lines) == (1, local_stack.output.read_text().splitlines())
    assert len(lines) == 1
    assert (tmp_path / "foreign" / ".gitignore").read_text() == "node_modules\n"


def test_a_wrong_providers_file_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    providers = tmp_path / "providers.toml"
    providers.write_text("[providers.lab]\ndialect = 3\n")
    local_stack = launch(tmp_path / "state", tmp_path / "output", env={"CALLMISSED_PROVIDERS_FILE": str(providers)})
    code, lines = refusal(local_stack)
    assert (code, len(lines)) == (1, 1), local_stack.output.read_text()
    assert "providers.toml" in lines[0]
    assert not (local_stack.state / "dev.json").exists()


def test_a_second_stack_is_killed_started_again_and_ended(local_stack: LocalStack, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, tmp_path / "first") as second:
        first = second.announcement
        assert first["base_url"] != local_stack.announcement["base_url"]
        assert second.post("/v1/chat/completions", CHAT)[0] == 200
        assert local_stack.post("/v1/chat/completions", CHAT, Authorization=f"Bearer {first['live_key']}")[0] == 401
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
        for _ in range(2):  # as of an impatient reader, or of make and the terminal both
            second.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert second.process.wait(15) == 0
        assert gone(family)
    assert "Traceback" not in second.output.read_text()
    assert sorted(path.name for path in state.iterdir()) == [
        *(".gitignore", "callmissed-state", "dynamodb", "lock", "logs", "secrets.json")
    ]


def deductions(local_stack: LocalStack) -> int:
    """Billed calls in the local stack's ledger."""
    client = dynamodb_client(local_stack.announcement["endpoints"]["dynamodb"])
    entries = client.scan(TableName="callmissed-local-ledger")["Items"]
    return len([entry for entry in entries if entry["type"] == {"S": "deduction"}])


def test_a_stack_without_java_warns_and_serves_on_moto(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "sleep"):
        (tools / name).symlink_to(shutil.which(name) or "")
    with running(tmp_path / "state", tmp_path / "output", env={"PATH": str(tools)}) as local_stack:
        assert "Falling back to moto" in local_stack.output.read_text()
        assert local_stack.post("/v1/chat/completions", CHAT)[0] == 200
        assert local_stack.announcement["endpoints"]["aws"] == local_stack.announcement["endpoints"]["dynamodb"]
        local_stack.process.send_signal(signal.SIGINT)
        assert local_stack.process.wait(15) == 0
