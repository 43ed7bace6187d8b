"""Dependencies of the functions that use credentials, at Meta or Twilio."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.secrets import sealing_ring
from callmissed.http.client import SafeClient
from callmissed.sealing import Sealer
from callmissed.settings import CoreSettings, from_environment
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.composition import BotsComposition


@dataclass(frozen=True)
class SealedComposition(BotsComposition):
    """The slice's dependencies, with the keys that seal credentials and the clients that use them."""

    @cached_property
    def sealer(self) -> Sealer:
        """Seals credentials. Raises ValueError without a sealing key."""
        return Sealer(sealing_ring(self.settings))

    @cached_property
    def http(self) -> SafeClient:
        """Reaches Meta and Twilio."""
        settings = self.settings
        return SafeClient(allow_loopback=settings.allow_loopback)

    @cached_property
    def graph(self) -> GraphClient:
        """Meta's Graph API."""
        return GraphClient(self.settings.graph_url, self.http)


def compose_sealed(settings: CoreSettings | None = None) -> SealedComposition:
    """The dependencies under `settings`, by default those of the environment. Raises ValueError for a wrong one."""
    return SealedComposition(settings or from_environment())
