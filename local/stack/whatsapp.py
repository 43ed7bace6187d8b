"""The stand-in for Meta's Graph API beside the stack, and its number, connected to the developer's tenant."""

from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

from callmissed.integrations.credentials import WhatsAppCredentials
from callmissed.settings import CoreSettings
from local.fakes.graph.accounts import NUMBER_ID, WABA_ID
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.state import GraphOptions
from local.state.folder import LocalSecrets, WhatsAppSecrets

_CALLBACK_PATH = "/api/v1/webhooks/whatsapp"
_STATUS_SECONDS = 0.4
"""A person sees the ticks come one after the other."""


@contextmanager
def graph_stand_in(secrets: LocalSecrets, public_url: str) -> Generator[FakeGraph]:
    """The stand-in, which calls the stack at `public_url`, until the block ends."""
    whatsapp = secrets.whatsapp
    graph = FakeGraph(
        callback_url=public_url + _CALLBACK_PATH,
        access_token=whatsapp.access_token,
        app_secret=whatsapp.app_secret,
        verify_token=whatsapp.verify_token,
        options=GraphOptions(status_seconds=_STATUS_SECONDS),
    )
    with graph.serving():
        yield graph


def graph_setting(origin: str) -> str:
    """The value of the setting `graph_url` for a stand-in at `origin`, in the form of the default."""
    return origin + urlsplit(CoreSettings().graph_url).path


def announced(secrets: WhatsAppSecrets) -> dict[str, str]:
    """The number and its secrets as `dev.json` has them."""
    return {"waba_id": WABA_ID, "phone_number_id": NUMBER_ID, **secrets.model_dump()}


def credentials(secrets: WhatsAppSecrets) -> WhatsAppCredentials:
    """The credentials with which a tenant uses the stand-in's number."""
    return WhatsAppCredentials(phone_number_id=NUMBER_ID, **secrets.model_dump())
