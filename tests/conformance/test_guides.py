"""README and guides, followed word by word beside a running `make dev`."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.paths import ROOT
from local.ports import free_port
from tests.support.audio_files import wav
from tests.support.guides import Checkout, blocks
from tests.support.local_stack import LocalStack

LISTENING = "until curl -s -o /dev/null http://127.0.0.1:{port}/; do sleep 0.05; done\n"
DELIVERED = """\
until curl -s "$HOOK/deliveries?limit=1" -H "Authorization: Bearer $KEY" | grep -q '"delivered"'; do sleep 0.05; done
"""
MESSAGES = 'messages = [{"role": "user", "content": "Hello!"}]\n'


@pytest.fixture
def checkout(local_stack: LocalStack, tmp_path: Path) -> Checkout:
    return Checkout.beside(local_stack, tmp_path)


@pytest.fixture
def base_url(local_stack: LocalStack) -> str:
    return local_stack.announcement["base_url"]


@pytest.fixture
def live_key(local_stack: LocalStack) -> str:
    return local_stack.announcement["live_key"]


def after(block: str, port: int) -> str:
    """What a reader waits for after a block."""
    waits = {"receive.py &": LISTENING.format(port=port), "events emit": DELIVERED, "/replay": DELIVERED}
    return next((wait for mark, wait in waits.items() if mark in block), "")


def test_the_guide_of_webhooks_works_and_leaves_nothing_behind(checkout: Checkout, base_url: str) -> None:
    port, steps = free_port(), blocks("docs/webhooks.md", "sh")
    steps.sort(key=lambda block: "-X DELETE" in block)  # the reader removes the webhook at the very end
    script = "\n".join(f"echo '== {n}'\n{block}\n{after(block, port)}" for n, block in enumerate(steps))
    script = script.replace("http://127.0.0.1:8000", base_url).replace("127.0.0.1:9000", f"127.0.0.1:{port}")
    script = script.replace("2026-11-25T00:00:00Z", f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}")
    before = checkout.files

    output = checkout.shell(script, PORT=str(port))

    assert re.search(r'"success":\s*true', output)
    assert output.count("Where is my order?") >= 2
    assert re.search(r'"status":\s*"queued"', output)
    assert re.search(r'"kind":\s*"recover"', output)
    assert checkout.files == before
    assert checkout.local_stack.get("/api/v1/webhooks") == (200, [])


def test_the_printed_snippet_of_the_readme_streams_a_reply(checkout: Checkout, base_url: str, live_key: str) -> None:
    (snippet,) = blocks("README.md", "python")
    program = snippet.replace("http://127.0.0.1:8000", base_url).replace("cm_live_…", live_key)

    assert "sandbox" in checkout.run(".venv/bin/python", "-c", program)


def test_the_readme_shows_what_calls_cost(checkout: Checkout) -> None:
    (commands,) = [block for block in blocks("README.md", "sh") if "callmissed" in block]

    assert "available" in checkout.shell(commands)


def test_the_guide_of_idempotency_replays_in_every_language(checkout: Checkout, base_url: str, live_key: str) -> None:
    (curl,) = blocks("docs/idempotency.md", "console")
    python, _route = blocks("docs/idempotency.md", "python")
    (node,) = blocks("docs/idempotency.md", "js")
    command = curl.removeprefix("$ ").replace("https://api.example.com", base_url)
    client = f'base_url="{base_url}/v1", api_key="{live_key}"'
    python_head = f"from openai import OpenAI\nclient, key = OpenAI({client}), 'guide-python'\n{MESSAGES}"
    options = f'{{ baseURL: "{base_url}/v1", apiKey: "{live_key}" }}'
    node_head = (
        f'import OpenAI from "openai";\nconst client = new OpenAI({options}), key = "guide-node";\nlet {MESSAGES}'
    )

    first, again = [checkout.shell(command, CALLMISSED_KEY=live_key) for _ in range(2)]
    in_python = checkout.run(".venv/bin/python", "-c", f"{python_head}print(({python.strip()}).id)")
    in_node = checkout.run(
        "node", "--input-type=module", "-e", f"{node_head}console.log(({node.strip(';' + chr(10))}).id)"
    )

    assert first == again
    assert "chatcmpl" in first
    assert in_python.strip()
    assert in_node.strip()


def test_the_guide_of_responses_goes_on_by_ids(checkout: Checkout, base_url: str, live_key: str) -> None:
    program = "\n".join(blocks("docs/responses.md", "python"))
    program = program.replace("http://127.0.0.1:8000", base_url).replace("cm_live_…", live_key)

    output = checkout.run(".venv/bin/python", "-c", program)

    assert "My name is Asha." in output or "What is my name?" in output
    assert "completed" in output
    assert output.count("message msg_") == 5


def test_the_guides_of_audio_and_files_speak_listen_and_keep(checkout: Checkout, base_url: str) -> None:
    (checkout.folder / "call.wav").write_bytes(wav(1))
    test_key = checkout.local_stack.announcement["test_key"]
    program = "\n".join(block for guide in ("docs/audio.md", "docs/files.md") for block in blocks(guide, "python"))
    program = program.replace("http://127.0.0.1:8000", base_url).replace("cm_test_…", test_key)

    output = checkout.run(".venv/bin/python", "-c", program)

    assert "bytes of audio" in output
    assert "00:00:00,000 -->" in output


def test_the_guide_of_search_finds_pages(checkout: Checkout, base_url: str) -> None:
    (script,) = blocks("docs/search.md", "sh")
    test_key = checkout.local_stack.announcement["test_key"]

    output = checkout.shell(script.replace("http://127.0.0.1:8000", base_url).replace("cm_test_…", test_key))

    assert len(json.loads(output)["results"]) == 3


def test_the_guide_of_the_command_line_works(checkout: Checkout) -> None:
    (block,) = blocks("docs/cli.md", "sh")
    _dev, create, *rest = [line.split("  #")[0].split("    #")[0].strip() for line in block.splitlines()]
    made = checkout.shell(create)
    (tenant,) = re.findall(r"tnt_[0-9a-f]{24}", made)

    shown = [checkout.shell(line.replace("tnt_…", tenant).replace(" --follow", "")) for line in rest]

    assert re.search(r"cm_live_[A-Za-z0-9]{46}", shown[0])
    assert shown[1].split()[:2] == ["time", "model"]


def test_the_guide_of_keys_makes_calls_rotates_and_revokes(checkout: Checkout, base_url: str) -> None:
    script = "\n".join(blocks("docs/keys.md", "sh")).replace("http://127.0.0.1:8000", base_url)
    owner = {name: checkout.local_stack.announcement[f"owner_{name}"] for name in ("email", "password")}
    login = '{"email": "owner-…@example.com", "password": "…"}'

    output = checkout.shell(script.replace(login, json.dumps(owner)))

    assert "chatcmpl-" in output
    assert '"secrets":2' in output
    assert "it is revoked now" in output


def test_the_guide_of_the_stand_in_for_whatsapp_works(checkout: Checkout) -> None:
    _, _, answer, faults = blocks("docs/whatsapp-stand-in.md", "sh")
    (program,) = blocks("docs/whatsapp-stand-in.md", "python")
    before = checkout.files

    assert '"id": "wamid.' in checkout.shell(answer)
    assert '"kind": "lose_answer"' in checkout.shell(faults)
    checkout.run("python", "-", script=program, PYTHONPATH=str(ROOT))

    assert checkout.files == before


def test_the_guide_of_bots_answers_takes_over_and_hands_back(checkout: Checkout, base_url: str) -> None:
    steps = blocks("docs/bots.md", "sh")
    script = "\n".join(f"echo '== {number}'\n{block}" for number, block in enumerate(steps))

    output = checkout.shell(script.replace("http://127.0.0.1:8000", base_url))

    said = [part.partition("\n")[2] for part in output.split("== ")[1:]]
    assert len(said) == 7
    assert said[2].strip() == "True"
    assert "When do you open?" in said[3]
    assert said[4].strip() == "False"
    assert json.loads(said[5])["messages"][0]["status"] == "sent"
    assert said[6].startswith("True")
    assert [part.count("\nbot: ") for part in said] == [0, 0, 0, 1, 0, 0, 1]


def test_the_guide_of_billing_buys_credits_once(checkout: Checkout, base_url: str) -> None:
    steps = blocks("docs/billing.md", "sh")
    script = "\n".join(f"echo '== {number}'\n{block}" for number, block in enumerate(steps))
    owner = {name: checkout.local_stack.announcement[f"owner_{name}"] for name in ("email", "password")}
    login = '{"email": "owner-…@example.com", "password": "…"}'

    output = checkout.shell(script.replace("http://127.0.0.1:8000", base_url).replace(login, json.dumps(owner)))

    _, offered, ordered, _, settled, *_ = [part.partition("\n")[2].strip() for part in output.split("== ")[1:]]
    before = float(offered.rpartition("\n")[2])
    state, after, history = settled.splitlines()
    assert json.loads(ordered)["amount"] == 449
    assert json.loads(state) == {"status": "paid", "plan": "topup_510"}
    assert float(after) == before + 510
    assert [row["status"] for row in json.loads(history)] == ["paid"]
