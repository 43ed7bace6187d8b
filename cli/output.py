"""The output of commands: Rich tables for people, JSON for scripts, warnings and errors on stderr."""

import json
import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
"""One record as JSON has it. Money is text in credits, as exact as the ledger."""

Columns = Mapping[str, str]
"""Headings by the names of a row's fields, the most important first: a narrow terminal shows no more than fit."""

_MIN_COLUMNS = 2
_MAX_NEEDED = 20
"""Letters that a column of texts needs at least. Longer texts fold; ids are one word and never break to save space."""

_MAX_WORD = 36
"""Letters of the longest id. A longer word, such as a body of JSON, folds."""

_GAP = 2
_NOTHING = "—"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Letters with which a text, such as a name that a tenant chose, could move the cursor or write over other lines."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{3}Z")


class Output:
    """Prints rows. With `as_json`, stdout holds JSON and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(highlight=False)
        self._errors = Console(stderr=True, soft_wrap=True, highlight=False)

    def record(self, row: Row) -> None:
        """Print one record."""
        if self.as_json:
            self._json(row, indent=2)
            return
        width = max(map(len, row), default=0) + _GAP
        for name, value in row.items():
            self._line(name.replace("_", " ").ljust(width), _shown(value))

    def _line(self, name: str, value: str) -> None:
        """One field. Where a word, such as a secret, does not fit beside the name, the value follows in one piece."""
        if len(name) + max(map(len, value.split()), default=0) > self._console.width:
            self._console.print(Text(name.rstrip(), style="bold"))
            self._console.print(Text(value), soft_wrap=True)
            return
        grid = Table.grid()
        grid.add_row(Text(name, style="bold"), Text(value))
        self._console.print(grid)

    def rows(self, rows: Sequence[Row], columns: Columns) -> None:
        """Print a list of records; people see as many of the `columns` as fit."""
        if self.as_json:
            self._json(rows, indent=2)
            return
        widths = {name: _needed(title, name, rows) for name, title in columns.items()}
        self._table(rows, columns, widths, heading=True)

    def lines(self, rows: Sequence[Row], columns: Columns, widths: Mapping[str, int], *, heading: bool) -> None:
        """Print records one by one, in as many columns as fit, which are at least as wide as `widths`."""
        if self.as_json:
            for row in rows:
                self._json(row)
            return
        if rows or heading:
            self._table(rows, columns, widths, heading=heading)

    @contextmanager
    def progress(self, doing: str, total: int) -> Generator[Callable[[int], None]]:
        """Show on stderr, to people only, how many of `total` are done; the block gets a function to set it."""
        with Progress(console=self._errors, disable=self.as_json) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda done: progress.update(task, completed=done)

    def text(self, text: str) -> None:
        """Print a text of somebody else as lines of their own."""
        self._console.print(Text(_visible(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning on stderr."""
        self._errors.print(Text(_visible(text), style="yellow"))

    def fail(self, text: str) -> None:
        """Print the reason of a failure on stderr."""
        self._errors.print(Text(_visible(f"callmissed: {text}")))

    def _table(self, rows: Sequence[Row], columns: Columns, widths: Mapping[str, int], *, heading: bool) -> None:
        """Print a table, or where not even two columns fit, one record after the other."""
        fitting = self._fitting(columns, widths)
        if _width(fitting, widths) > self._console.width:
            for row in rows:
                self.record({columns[name]: row[name] for name in columns})
            return
        spread = self._spread(rows, fitting, widths)
        table = Table(box=None, pad_edge=False, show_header=heading)
        for name, title in fitting.items():
            table.add_column(title, width=spread[name])
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in fitting))
        self._console.print(table)

    def _fitting(self, columns: Columns, needed: Mapping[str, int]) -> Columns:
        """The first of `columns` that fit the terminal when each has the letters that it needs."""
        names = list(columns)
        while len(names) > _MIN_COLUMNS and _width(names, needed) > self._console.width:
            names.pop()
        return {name: columns[name] for name in names}

    def _spread(self, rows: Sequence[Row], columns: Columns, needed: Mapping[str, int]) -> Mapping[str, int]:
        """The widths of `columns`, the first of which get what is left of the line where their texts are longer.

        Rich's own minimum widths are no minimum: it narrows a column below and then cuts what does not fit.
        """
        left, widths = self._console.width - _width(columns, needed), dict(needed)
        for name in columns:
            more = max((len(_shown(row[name])) for row in rows), default=0) - needed[name]
            widths[name] += max(0, min(more, left))
            left -= widths[name] - needed[name]
        return widths

    def _json(self, value: Any, indent: int | None = None) -> None:
        self._console.file.write(_visible(json.dumps(value, indent=indent, ensure_ascii=False)) + "\n")
        self._console.file.flush()


def _needed(title: str, name: str, rows: Sequence[Row]) -> int:
    """Letters that a column needs: its longest word, and up to _MAX_NEEDED of its longest text."""
    texts = [title, *(_shown(row[name]) for row in rows)]
    longest_word = max(len(word) for text in texts for word in text.split() or [""])
    return max(min(longest_word, _MAX_WORD), min(max(map(len, texts)), _MAX_NEEDED))


def _width(names: Collection[str], widths: Mapping[str, int]) -> int:
    """Letters of a line with the columns `names`; Rich counts a gap behind the last, too."""
    return sum(widths[name] + _GAP for name in names)


def _cell(value: Any) -> Text:
    return Text(_shown(value), overflow="fold")  # as it is: a name may look like markup


def _shown(value: Any) -> str:
    return _visible(_worded(value))


def _visible(text: str) -> str:
    """`text` with letters that would control a terminal written as JSON writes them."""
    return _CONTROLS.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def _worded(value: Any) -> str:
    match value:
        case None | [] | "":
            return _NOTHING
        case str():
            return _TIME.sub(r"\1Z", value)
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        case dict():
            return ", ".join(f"{name} {_shown(number)}" for name, number in value.items())  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)
