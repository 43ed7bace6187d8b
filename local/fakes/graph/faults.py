"""Faults on demand. With a seed, the same faults hit the same requests and callbacks in each run."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

ANY = "*"


class FaultKind(StrEnum):
    """What goes wrong.

    The first seven hit requests, the next two the statuses of a sent message, the last three callbacks.
    """

    ERROR = "error"
    """The answer is an error of Graph with `code`."""
    SERVER_ERROR = "server_error"
    """The answer is `status` (by default 503) with a page of HTML."""
    SLOW = "slow"
    """The request waits for `seconds` first."""
    LOSE_REQUEST = "lose_request"
    """The connection is reset; the request has no effect."""
    LOSE_ANSWER = "lose_answer"
    """The request takes effect, and the connection is reset."""
    HALF_ANSWER = "half_answer"
    """The request takes effect, and the answer ends in its midst."""
    GARBLED_ANSWER = "garbled_answer"
    """The request takes effect, and the answer is 200 with bytes that are no JSON."""
    FAILED_STATUS = "failed_status"
    """The message is taken, and its status is `failed` with `code`."""
    NO_STATUS = "no_status"
    """The message is taken, and no status follows."""
    DUPLICATE = "duplicate"
    """The callback comes twice."""
    REORDER = "reorder"
    """The callback comes after the one that follows it."""
    REGROUP = "regroup"
    """The update comes in one callback with the one that follows it."""


_OF_STATUSES = (FaultKind.FAILED_STATUS, FaultKind.NO_STATUS)
_OF_CALLBACKS = (FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.REGROUP)
_WITH_CODE = (FaultKind.ERROR, FaultKind.FAILED_STATUS)
_SENDS = "messages"


class Fault(BaseModel):
    """A fault, and which requests or callbacks it hits: those of `on`, of the user `to`, with `probability`.

    It lets `after` of them pass, and ends after `times` hits; None means never. `on` is an operation: `messages` (by
    default), `read`, `upload`, `media`, `download`, `number`, `account` …; of a callback its list, `messages` or
    `statuses`, by default both. `taken` lets an error come though the request took effect.
    """

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    on: str = ""
    to: str | None = None
    times: Annotated[int | None, Field(ge=1)] = 1
    after: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    code: int | None = None
    details: str = ""
    status: Annotated[int, Field(ge=400, le=599)] = 503
    seconds: Annotated[float, Field(ge=0, le=600)] = 1.0
    taken: bool = False
    hits: int = 0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in _WITH_CODE and self.code is None:
            raise ValueError(f"{self.kind} needs a code")
        if not self.on:
            self.on = ANY if self.kind in (*_OF_CALLBACKS, *_OF_STATUSES) else _SENDS
        return self

    @property
    def family(self) -> str:
        """What the fault hits: `request`, `status` or `callback`."""
        if self.kind in _OF_CALLBACKS:
            return "callback"
        return "status" if self.kind in _OF_STATUSES else "request"


class Faults:
    """The faults that are set. Draws of `probability` follow from `seed`, the user and a count of the user's."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._drawn: Counter[tuple[int, str]] = Counter()

    def add(self, fault: Fault) -> Fault:
        """Set `fault`, beside those before."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()
            self._drawn.clear()

    def all(self) -> list[dict[str, Any]]:
        """The faults as JSON has them, with their hits."""
        with self._lock:
            return [fault.model_dump(mode="json") for fault in self._faults]

    def hit(self, family: str, on: str, *users: str) -> list[Fault]:
        """The faults that hit a request or callback of a user, who may go by several ids; the first one counts."""
        with self._lock:
            return list(self._hits(family, on, users))

    def _hits(self, family: str, on: str, users: tuple[str, ...]) -> Iterator[Fault]:
        for place, fault in enumerate(self._faults):
            if fault.family != family or fault.on not in (on, ANY) or (fault.to and fault.to not in users):
                continue
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if fault.after:
                fault.after -= 1
            elif self._drawn_below(fault.probability, place, users[0] if users else ""):
                fault.hits += 1
                yield fault

    def _drawn_below(self, probability: float, place: int, user: str) -> bool:
        if probability >= 1:
            return True
        self._drawn[place, user] += 1
        text = f"{self._seed}:{place}:{user}:{self._drawn[place, user]}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) < probability * 2**64
