"""The official `anthropic` SDK as a transport, in raw mode: for upstreams of its dialect that the SDK handles better.

Its import takes more than a second of CPU, so a provider's row has to choose it (`transport = "anthropic_sdk"`).
"""

from collections.abc import Mapping
from typing import cast

import anthropic
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, Omit

from callmissed.catalog.model import BEARER
from callmissed_ai.transports.sdk import NO_KEY, SdkTransport, http_options

_VERSION = {"anthropic-version": "2023-06-01"}
"""Of the wire format that the dialect reads, unless the provider's row says another: the SDK's own moves with it."""


class AnthropicSdkTransport(SdkTransport):
    """Sends through one `AsyncAnthropic`. With a key of ours the SDK reads none from the environment."""

    def __init__(self, base_url: str, api_key: str | None, auth: str, headers: Mapping[str, str]) -> None:
        key = api_key or NO_KEY
        sent: dict[str, str | Omit] = {**_VERSION, **headers}
        if auth != BEARER:
            sent |= {auth: key, "Authorization": Omit()}
        client = AsyncAnthropic(
            base_url=base_url,
            auth_token=key,
            default_headers=cast("Mapping[str, str]", sent),
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(**http_options()),
        )
        super().__init__(anthropic, client)
