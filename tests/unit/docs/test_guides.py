"""What holds for every guide: commands leave no file in the working tree, and each heading is there once."""

import re
from collections import Counter
from pathlib import Path

import pytest

from local.paths import ROOT
from tests.support.guides import blocks

GUIDES = sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/*.md")])
WRITES = re.compile(r"(?<![<>=\d-])>>?\s*(?!/dev/|&)[\w./$\"-]+|\btee\s+[\w./]+")


@pytest.mark.parametrize("guide", GUIDES, ids=str)
def test_commands_of_a_guide_write_no_file(guide: Path) -> None:
    """A file in the working tree may be committed, with the secrets or customers' data in it."""
    commands = [
        re.sub("'[^']*'", "''", line)
        for language in ("sh", "console")
        for block in blocks(str(guide), language)
        for line in block.splitlines()
    ]

    assert [line for line in commands if WRITES.search(line.partition(" # ")[0])] == []


@pytest.mark.parametrize("line", ["aws x > records.json", "a | tee out", 'echo "$KEY" >>.env'])
def test_a_command_that_writes_a_file_is_found(line: str) -> None:
    assert WRITES.search(line)


@pytest.mark.parametrize("guide", GUIDES, ids=str)
def test_headings_of_a_guide_are_unique(guide: Path) -> None:
    """A link to a heading leads to the first of its name."""
    text = re.sub(r"^ *```.*?^ *```", "", (ROOT / guide).read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = Counter(re.findall(r"^#+ (.+)$", text, re.MULTILINE))

    assert [heading for heading, times in headings.items() if times > 1] == []
