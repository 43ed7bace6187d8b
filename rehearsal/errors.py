"""Errors of a rehearsal.

RehearsalError
├─ PlanError             references or edges that AWS would refuse; has all `problems`
├─ UnsupportedError      a template holds what the rehearsal does not know yet
├─ StageError            the engines hold what a new stage can't be made beside, or what tearing down left
└─ SmokeError            the product did not answer as it should, or a role refused a request
"""

from collections.abc import Sequence


class RehearsalError(Exception):
    """The rehearsal failed; the message says where."""


class PlanError(RehearsalError):
    """The templates can't be deployed, or not work once they are. `problems` has one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UnsupportedError(RehearsalError):
    """A template holds what the rehearsal does not know."""


class StageError(RehearsalError):
    """A stage can't be made, or was not removed."""


class SmokeError(RehearsalError):
    """The deployed product did not work."""
