"""Opening a transport by the name that its provider's row gives."""

from callmissed.catalog.model import BEARER, ProviderSettings
from callmissed_ai.transports.base import Transport


def open_transport(provider: ProviderSettings, api_key: str | None) -> Transport:
    """The transport of `provider`, whose placeholders are replaced.

    Each is imported when a provider needs it, because few processes need all. The type checker holds that every
    `TransportName` has its case.
    """
    match provider.transport:
        case "bare":
            from callmissed_ai.transports.http import HttpTransport

            return HttpTransport(provider.base_url, {**_key_header(provider, api_key), **provider.headers})
        case "openai_sdk":
            from callmissed_ai.transports.openai_sdk import OpenAiSdkTransport

            return OpenAiSdkTransport(provider.base_url, api_key, provider.headers)
        case "anthropic_sdk":
            from callmissed_ai.transports.anthropic_sdk import AnthropicSdkTransport

            return AnthropicSdkTransport(provider.base_url, api_key, provider.auth, provider.headers)


def _key_header(provider: ProviderSettings, api_key: str | None) -> dict[str, str]:
    if not api_key:
        return {}
    return {"Authorization": f"Bearer {api_key}"} if provider.auth == BEARER else {provider.auth: api_key}
