"""Dependencies that the functions of this slice share: settings, tables, sealing keys and queues."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.database import Database
from callmissed.aws.queues import SqsQueue
from callmissed.aws.secrets import sealing_ring
from callmissed.http.client import SafeClient
from callmissed.platform.queues.bots import TURNS
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings, from_environment
from functions.bots.channels.whatsapp.graph import GraphClient


@dataclass(frozen=True)
class BotsComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    settings: CoreSettings

    @cached_property
    def database(self) -> Database:
        """The tables of the stage."""
        return Database.connect(self.settings)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals credentials. Raises ValueError without a sealing key."""
        return Sealer(sealing_ring(self.settings))

    @cached_property
    def turns(self) -> SqsQueue:
        """The queue of turns."""
        return SqsQueue(self.settings, TURNS)

    @cached_property
    def http(self) -> SafeClient:
        """Reaches Meta and Twilio."""
        return SafeClient(allow_loopback=self.settings.allow_loopback)

    @cached_property
    def graph(self) -> GraphClient:
        """Meta's Graph API."""
        return GraphClient(self.settings.graph_url, self.http)


def compose(settings: CoreSettings | None = None) -> BotsComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return BotsComposition(settings or from_environment())
