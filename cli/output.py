"""The output of commands: Rich tables for people, JSON for scripts, warnings and errors on stderr."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
"""One record as JSON has it. Money is text in credits, as exact as the ledger."""

Columns = Mapping[str, str]
"""Headings by the names of a row's fields."""

_MIN_WIDTH = 240
"""Columns of a table, however narrow the terminal: ids and secrets stay in one piece and can be copied."""

_NOTHING = "—"


class Output:
    """Prints rows. With `as_json`, stdout holds JSON and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console()
        self._console.width = max(self._console.width, _MIN_WIDTH)
        self._errors = Console(stderr=True, soft_wrap=True, highlight=False)

    def record(self, row: Row) -> None:
        """Print one record."""
        if self._as_json:
            self._json(row, indent=2)
            return
        grid = Table.grid(padding=(0, 2))
        for name, value in row.items():
            grid.add_row(Text(name.replace("_", " "), style="bold"), _cell(value))
        self._console.print(grid)

    def rows(self, rows: Sequence[Row], columns: Columns) -> None:
        """Print a list of records; people see the `columns` only."""
        if self._as_json:
            self._json(rows, indent=2)
            return
        table = Table(*columns.values(), box=None, pad_edge=False)
        _fill(table, rows, columns)
        self._console.print(table)

    def lines(self, rows: Sequence[Row], columns: Columns, widths: Mapping[str, int], *, heading: bool) -> None:
        """Print records one by one, one line each, in columns at least as wide as `widths`."""
        if self._as_json:
            for row in rows:
                self._json(row)
            return
        table = Table(box=None, pad_edge=False, show_header=heading)
        for name, title in columns.items():
            table.add_column(title, min_width=widths[name], no_wrap=True)
        _fill(table, rows, columns)
        if rows or heading:
            self._console.print(table)

    @contextmanager
    def progress(self, doing: str, total: int) -> Generator[Callable[[int], None]]:
        """Show on stderr, to people only, how many of `total` are done; the block gets a function to set it."""
        with Progress(console=self._errors, disable=self._as_json) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda done: progress.update(task, completed=done)

    def warn(self, text: str) -> None:
        """Print a warning on stderr."""
        self._errors.print(Text(text, style="yellow"))

    def fail(self, text: str) -> None:
        """Print the reason of a failure on stderr."""
        self._errors.print(Text(f"callmissed: {text}"))

    def _json(self, value: Any, indent: int | None = None) -> None:
        self._console.file.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")
        self._console.file.flush()


def _fill(table: Table, rows: Sequence[Row], columns: Columns) -> None:
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))


def _cell(value: Any) -> Text:
    return Text(_shown(value), overflow="fold")  # as it is: a name may look like markup


def _shown(value: Any) -> str:
    match value:
        case None | [] | "":
            return _NOTHING
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        case dict():
            return ", ".join(f"{name} {_shown(number)}" for name, number in value.items())  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)
