"""Whole events of a body: where they end for every line end and every cut, at a cost that is linear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.streams import sse
from callmissed_ai.streams.sse import EventSplitter, data_of, name_of, split

marks = st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\r\r", b"data: x", b"data: y", b": z", b"a"])


def fed(pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What the splitter lets go of the pieces, and the rest."""
    splitter = EventSplitter()
    whole = b"".join(map(splitter.feed, pieces))
    return whole, splitter.rest()


def singly(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


@given(st.lists(marks, max_size=12))
def test_every_cut_gives_the_same_events(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    splitter, events = EventSplitter(), []
    for byte in singly(whole):
        events += split(splitter.feed(byte))
    rest = splitter.rest()

    once, last = fed([whole])

    assert (once, last) == (b"".join(events), rest)
    assert once + last == whole
    assert [event for event in split(once) if event.strip()] == [event for event in events if event.strip()]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
def test_event_is_whole_as_soon_as_its_blank_line_is_there(end: bytes) -> None:
    assert fed([b"data: x" + end]) == (b"data: x" + end, b"")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n", b"\r\n\r"])
def test_event_without_its_blank_line_waits(end: bytes) -> None:
    assert fed([b"data: x" + end]) == (b"", b"data: x" + end)


def test_cr_lf_that_is_cut_is_one_line_end() -> None:
    assert fed([b"data: x\r", b"\ndata: y\r\n\r", b"\n"]) == (b"data: x\r\ndata: y\r\n\r\n", b"")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_name_and_data_of_an_event(line_end: bytes) -> None:
    event = line_end.join([b"id: 7", b"event: error", b"data:1", b"retry: 3", b"data:  2 ", b": c", b"", b""])

    assert (name_of(event), data_of(event)) == (b"error", b"1\n2")


def test_comment_has_neither_name_nor_data() -> None:
    assert (name_of(b": x\n\n"), data_of(b": x\n\n")) == (b"", b"")


class CountingEnd:
    """Counts the bytes that are searched for ends of events."""

    def __init__(self) -> None:
        self.searched = 0
        self._pattern = sse._END  # pyright: ignore[reportPrivateUsage]  the work is counted where it is done

    def finditer(self, data: bytes) -> object:
        self.searched += len(data)
        return self._pattern.finditer(data)


@pytest.mark.parametrize("packet", [1, 100, 1_400])
def test_work_for_a_large_event_is_linear(monkeypatch: pytest.MonkeyPatch, packet: int) -> None:
    counting = CountingEnd()
    monkeypatch.setattr(sse, "_END", counting)
    event = b"data: " + b"x" * 50_000 + b"\n\n"

    whole, rest = fed([event[place : place + packet] for place in range(0, len(event), packet)])

    assert (whole, rest) == (event, b"")
    assert counting.searched <= len(event) * (1 + 4 / packet)
