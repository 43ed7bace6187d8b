"""The numbers as Markdown, for docs/whatsapp-performance.md and the terminal, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.cost import between_markers, markdown_table
from bench.measure import Budget, quantiles
from bench.report import rounded
from bench.whatsapp.concurrency import Together
from bench.whatsapp.soak import WhatsAppSoak

MARKER = "whatsapp"
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """What a soak says in the document."""

    messages: int
    conversations: int
    seed: int
    deaths: int
    faults: int
    turns: int
    answered: int
    sent: int
    unknown_share: float
    free: int
    wrong: int

    @classmethod
    def of(cls, soak: WhatsAppSoak) -> "SoakFigures":
        """The figures of a soak."""
        audit, load = soak.audit, soak.load
        return cls(
            messages=load.messages,
            conversations=load.conversations,
            seed=load.seed,
            deaths=soak.deaths,
            faults=soak.faults,
            turns=audit.turns.total(),
            answered=audit.turns["answered"],
            sent=audit.sent,
            unknown_share=audit.unknown_share,
            free=audit.free,
            wrong=len(audit.wrong),
        )


@dataclass(frozen=True, slots=True)
class WhatsAppNumbers:
    """Everything that a run found."""

    together: Together
    soak: SoakFigures | None = None

    @property
    def budgets(self) -> list[Budget]:
        """Nobody waits for the slow model, and a soak finds nothing wrong."""
        waits = Budget("conversations that wait for another's slow model", self.together.waiting, 0, "")
        soak = self.soak
        return [waits, *([Budget(f"faults found in a soak of {soak.messages}", soak.wrong, 0, "")] if soak else [])]


def tables(numbers: WhatsAppNumbers) -> str:
    """All of it in Markdown."""
    parts = [("Conversations at once", together_rows(numbers.together))]
    parts += [("Soak", soak_rows(numbers.soak))] if numbers.soak else []
    return "\n\n".join(f"### {title}\n\n{markdown_table(rows)}" for title, rows in parts)


def together_rows(together: Together) -> Rows:
    """A row for the others, and one for the slow model's."""
    head = ["ms from the turn's job to the answer's send", "conversations", "p50", "p99", "longest"]
    found = quantiles(together.others)
    figures = (found.p50, found.p99, max(together.others))
    others = ["all at once, on two cores", str(len(together.others)), *(f"{each:.0f}" for each in figures)]
    return [head, others]


def soak_rows(soak: SoakFigures) -> Rows:
    """One row."""
    head = ["messages", "conversations", "seed", "SIGKILLs", "other faults", "turns", "answered", "sent"]
    head += ["`delivery_unknown`", "replies given away", "**lost, twice or wrong**"]
    counts = (soak.messages, soak.conversations, soak.seed, soak.deaths, soak.faults, soak.turns, soak.answered)
    row = [f"{count:,}" for count in (*counts, soak.sent)]
    return [head, [*row, f"{100 * soak.unknown_share:.1f} %", str(soak.free), str(soak.wrong)]]


def write(numbers: WhatsAppNumbers, results: Path, document: Path) -> None:
    """Write the JSON and put the tables into the document."""
    results.write_text(json.dumps(rounded(asdict(numbers)), indent=2) + "\n")
    document.write_text(between_markers(document.read_text(), tables(numbers), MARKER))


def kept_soak(results: Path) -> SoakFigures | None:
    """The soak of an earlier run, if there was one."""
    if not results.exists():
        return None
    document: Mapping[str, Any] = json.loads(results.read_text())
    return SoakFigures(**document["soak"]) if document.get("soak") else None
