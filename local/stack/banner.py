"""The text in the terminal when the stack answers."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from local.state.folder import Announcement

_CURL = """\
curl -N {base_url}/v1/chat/completions \\
  -H "Authorization: Bearer {live_key}" -H "Content-Type: application/json" \\
  -d '{{"model": "sandbox", "stream": true, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""
_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base_url}/v1", api_key="{live_key}")
messages = [{{"role": "user", "content": "Hello!"}}]
for chunk in client.chat.completions.create(model="sandbox", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
_NODE = """\
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base_url}/v1", apiKey: "{live_key}" }});
const messages = [{{ role: "user", content: "Hello!" }}];
const stream = await client.chat.completions.create({{ model: "sandbox", messages, stream: true }});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
"""
_COMMANDS = (
    ("Events, as webhooks get them; for a receiver of your own see docs/webhooks.md", "webhooks listen"),
    ("What the calls have cost", "credits balance"),
)
_SHOWN_MODELS = 8
_SNIPPETS = (
    ("curl", "bash", _CURL),
    ("Python, with .venv/bin/python here or after 'pip install openai'", "python", _PYTHON),
    ("Node, here or after 'npm install openai'", "javascript", _NODE),
)


@dataclass(frozen=True, slots=True)
class LiveModels:
    """Ids of the models that the stack can call, of `total` in the catalog."""

    ids: Sequence[str]
    total: int

    @property
    def text(self) -> str:
        """Some of the ids, and where a model says what it lacks."""
        more = len(self.ids) - _SHOWN_MODELS
        shown = ", ".join(self.ids[:_SHOWN_MODELS]) + (f" and {more} more" if more > 0 else "")
        others = self.total - len(self.ids)
        return f"{shown}\n{others} others lack a provider's key or an endpoint; GET /api/v1/models says which"


def show_banner(console: Console, announcement: Announcement, folder: Path, models: LiveModels) -> None:
    """Print where the stack of `folder` answers, its keys, and ways to call it that can be copied as they are."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")  # a key must never be cut
    for name, value in (
        ("base URL", f"{announcement.base_url}/v1"),
        ("live key", announcement.live_key),
        ("test key", announcement.test_key),
        ("tenant", announcement.tenant_id),
        ("owner", announcement.owner_email or ""),
        ("password", announcement.owner_password or ""),
        ("for passkeys", announcement.localhost_url),
        ("DynamoDB", announcement.endpoints["dynamodb"]),
        ("SQS, S3, …", announcement.endpoints["aws"]),
        ("a phone", f"{announcement.base_url}/_local/phone/ writes to WhatsApp's number here"),
        ("models", models.text),
    ):
        facts.add_row(f"[bold]{name}[/]", value)
    facts.add_row("", "[dim]The test key never leaves the sandbox and costs nothing.[/]")
    console.print(Panel(facts, title="CallMissed", title_align="left", expand=False))
    for title, language, text in _SNIPPETS:
        console.rule(title, align="left", style="dim")
        # Without a background and wrapping, so that a copied line is the line.
        code = text.format(**announcement.model_dump())
        console.print(Syntax(code, language, background_color="default"), soft_wrap=True)
    for title, command in _COMMANDS:
        console.rule(title, align="left", style="dim")
        console.print(f".venv/bin/callmissed {command} --state {shlex.quote(str(folder))}\n", soft_wrap=True)
    console.print("[dim]Ctrl-C ends the stack.[/]")


def warn_about_moto(console: Console, why: str) -> None:
    """Warn that moto serves DynamoDB too, because of `why`."""
    text = f"{why}\nFalling back to moto: slower, less exact, and it forgets everything when the stack ends."
    console.print(Panel(text, title="No DynamoDB Local", style="bold yellow", expand=False))
