"""The newest records of something, and those that come, until Ctrl-C."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.output import Columns, Output, Row

WINDOW = 300
"""Newest records that each poll reads again: one may be written after records that are newer."""

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more come, until Ctrl-C.")]
Interval = Annotated[float, typer.Option(min=0.2, help="Seconds between two reads.")]


@dataclass(frozen=True, slots=True)
class Tail:
    """Prints rows, which have an `id`. `newest` reads that many of them, newest last."""

    newest: Callable[[int], Awaitable[Sequence[Row]]]
    output: Output
    columns: Columns
    widths: dict[str, int]

    async def show(self, limit: int, interval: float | None) -> None:
        """Print the last `limit` rows; with an `interval` in seconds, go on."""
        window = limit if interval is None else max(limit, WINDOW)
        rows = await self.newest(window)
        self._print(rows[-limit:], heading=True)
        while interval is not None:
            await asyncio.sleep(interval)
            seen: set[Any] = {row["id"] for row in rows}
            rows = await self.newest(window)
            fresh = [row for row in rows if row["id"] not in seen]
            if len(fresh) == window:
                self.output.warn("They come faster than they are shown: some are left out.")
            self._print(fresh, heading=False)

    def _print(self, rows: Sequence[Row], *, heading: bool) -> None:
        self.output.lines(rows, self.columns, self.widths, heading=heading)
