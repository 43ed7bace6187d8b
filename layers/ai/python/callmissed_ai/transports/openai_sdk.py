"""The official `openai` SDK as a transport, in raw mode: for upstreams whose API differs in ways that the SDK handles.

Its import takes more than a second of CPU, so a provider's row has to choose it (`transport = "openai_sdk"`).
"""

from collections.abc import Mapping

import openai
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from callmissed_ai.transports.sdk import NO_KEY, SdkTransport, http_options


class OpenAiSdkTransport(SdkTransport):
    """Sends through one `AsyncOpenAI`."""

    def __init__(self, base_url: str, api_key: str | None, headers: Mapping[str, str]) -> None:
        client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or NO_KEY,
            default_headers=dict(headers),
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(**http_options()),
        )
        super().__init__(openai, client)
