"""Everything that the billed calls of one process share."""

import asyncio
import time
from dataclasses import dataclass

from callmissed.aws.buckets import Bucket
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.secrets import pepper_ring, provider_environment
from callmissed.catalog.loader import read_catalog
from callmissed.catalog.model import Catalog
from callmissed.clock import Clock, system_clock
from callmissed.files.service import Files
from callmissed.files.storage import S3Files
from callmissed.http.client import SafeClient
from callmissed.idempotency.store import IdempotencyStore
from callmissed.keys.admission import Admission
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.ledger.holds import Ledger
from callmissed.platform.resources import FILES_BUCKET, IMAGES_BUCKET, RESPONSES_BUCKET, STORED_RESPONSES
from callmissed.settings import CoreSettings
from callmissed_ai.calls.settlement import CallSettlement
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.routing.router import Router
from callmissed_ai.routing.sharing import SharedHealth
from callmissed_ai.services.image_history.history import ImageHistory
from callmissed_ai.services.responses_store.store import ResponsesStore
from callmissed_ai.transports.base import Transport
from callmissed_ai.transports.media import MediaFetcher


@dataclass(frozen=True, slots=True)
class Container:
    """The dependencies of the pipeline. `authenticator` admits keys by secret, `admission` by the id of their item."""

    clock: Clock
    catalog: Catalog
    database: Database
    ledger: Ledger
    idempotency: IdempotencyStore
    responses: ResponsesStore
    images: ImageHistory
    files: Files
    admission: Admission
    authenticator: KeyAuthenticator
    settlement: CallSettlement
    router: Router
    media: MediaFetcher

    async def close(self) -> None:
        """Drop every connection, for a snapshot or at the end."""
        await self.router.close()
        await self.media.close()
        await self.database.close()


def create_container(
    settings: CoreSettings,
    clock: Clock = system_clock,
    dynamodb: DynamoDB | None = None,
    catalog: Catalog | None = None,
) -> Container:
    """The container of one process, which opens no connection before its first call.

    The catalog is read unless it is given. With a client that is given, the health of routes is not shared.
    Raises ValueError without a pepper, CatalogError for a providers file that is wrong.
    """
    database = Database(dynamodb, settings.stage) if dynamodb else Database.connect(settings)
    catalog = catalog or read_catalog(settings)
    admission, ledger = Admission(database), Ledger(database)
    media = MediaFetcher(SafeClient(allow_loopback=settings.allow_loopback))
    health = RouteHealth(clock)
    environment = provider_environment(settings)
    router = Router(
        catalog,
        environment,
        _open_sandbox,
        fetch=media.fetch,
        names_variables=settings.names_variables,
        health=health,
    )
    if dynamodb is None:
        health.sharing = SharedHealth(database, health)
        router.listed_models.database = database
    return Container(
        clock=clock,
        catalog=catalog,
        database=database,
        ledger=ledger,
        idempotency=IdempotencyStore(database, Bucket(settings, RESPONSES_BUCKET)),
        responses=ResponsesStore(database, Bucket(settings, STORED_RESPONSES), clock),
        images=ImageHistory(database, Bucket(settings, IMAGES_BUCKET), clock),
        files=Files(database, S3Files(Bucket(settings, FILES_BUCKET)), clock),
        admission=admission,
        authenticator=KeyAuthenticator(database, admission, pepper_ring(settings)),
        settlement=CallSettlement(ledger, admission, clock),
        router=router,
        media=media,
    )


def _open_sandbox() -> Transport:
    from callmissed_ai.providers.sandbox.embeddings.small_model import installed_model
    from callmissed_ai.providers.sandbox.provider import SandboxProvider  # many processes never use it

    return SandboxProvider(time.time, asyncio.sleep, installed_model())
