"""The page about security has every requirement of level 2, and names files that exist."""

import re

from local.paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
SECTIONS = {
    # of ASVS 4.0.3: how many requirements up to level 2 each section has, counted from 1
    "2.1": 12,
    "2.2": 3,
    "2.3": 3,
    "2.4": 5,
    "2.5": 7,
    "2.6": 3,
    "2.7": 6,
    "2.8": 7,
    "2.9": 3,
    "2.10": 4,
    "3.1": 1,
    "3.2": 4,
    "3.3": 4,
    "3.4": 5,
    "3.5": 3,
    "3.7": 1,
    "4.1": 5,
    "4.2": 2,
    "4.3": 3,
}
DELETED = {"4.1.4"}


def test_page_lists_every_requirement_of_level_2_once() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) .+ \| (yes|no|partly|n/a) \| .+ \|$", PAGE, re.MULTILINE)
    wanted = [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]
    assert [requirement for requirement, _ in rows] == [each for each in wanted if each not in DELETED]


def test_page_names_files_that_exist() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert len(named) > 10
    assert {
        path for path in named if not any((ROOT / base / path).exists() for base in ("", "functions/auth"))
    } == set()
