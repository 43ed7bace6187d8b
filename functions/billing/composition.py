"""Dependencies that the functions of this slice share: settings and tables.

The handler of the notifier makes it, because event types need Pydantic, which the schedules' layer does not have.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from callmissed.aws.database import Database
from callmissed.settings import CoreSettings, from_environment


@dataclass(frozen=True)
class BillingComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    settings: CoreSettings

    @cached_property
    def database(self) -> Database:
        """The tables of the stage."""
        return Database.connect(self.settings)


def compose(settings: CoreSettings | None = None) -> BillingComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return BillingComposition(settings or from_environment())


@cache
def composed() -> BillingComposition:
    """The dependencies of this process, made at its first invocation."""
    return compose()
