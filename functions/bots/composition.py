"""Dependencies that the functions of this slice share: settings, tables and the queue of turns."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.database import Database
from callmissed.aws.queues import SqsQueue
from callmissed.platform.queues.bots import TURNS
from callmissed.settings import CoreSettings, from_environment


@dataclass(frozen=True)
class BotsComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    settings: CoreSettings

    @cached_property
    def database(self) -> Database:
        """The tables of the stage."""
        return Database.connect(self.settings)

    @cached_property
    def turns(self) -> SqsQueue:
        """The queue of turns."""
        return SqsQueue(self.settings, TURNS)


def compose(settings: CoreSettings | None = None) -> BotsComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return BotsComposition(settings or from_environment())
