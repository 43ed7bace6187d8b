"""Dependencies that the functions of this slice share: settings, tables and the queue of jobs."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.database import Database
from callmissed.aws.queues import SqsQueue
from callmissed.platform.queues import DISPATCH
from callmissed.settings import CoreSettings, from_environment
from functions.webhooks.storage.repository import Repository


@dataclass(frozen=True)
class WebhooksComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    settings: CoreSettings

    @cached_property
    def database(self) -> Database:
        """The tables of the stage."""
        return Database.connect(self.settings)

    @cached_property
    def repository(self) -> Repository:
        """Webhooks and deliveries."""
        return Repository(self.database)

    @cached_property
    def jobs(self) -> SqsQueue:
        """The queue of jobs."""
        return SqsQueue(self.settings, DISPATCH)


def compose(settings: CoreSettings | None = None) -> WebhooksComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return WebhooksComposition(settings or from_environment())
