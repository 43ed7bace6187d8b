"""Every name that a provider's row may give opens a transport of its own."""

from typing import get_args

from callmissed.catalog.model import GeneralTransport, ProviderSettings
from callmissed_ai.transports.opening import open_transport


async def test_every_name_opens_a_transport_of_its_own() -> None:
    names: tuple[GeneralTransport, ...] = get_args(GeneralTransport)
    opened = [
        open_transport(ProviderSettings("lab", "openai_chat", "http://127.0.0.1:9/v1", transport=name), {})
        for name in names
    ]
    for transport in opened:
        await transport.close()

    assert len({type(transport) for transport in opened}) == len(names) == 3
