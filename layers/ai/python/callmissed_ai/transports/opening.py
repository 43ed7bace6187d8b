"""Opening a transport by the name that its provider's row gives."""

from collections.abc import Mapping

from callmissed.catalog.model import BEARER, SIGV4, TOKEN, ProviderSettings, is_signed, signing_region
from callmissed.clock import Clock, system_clock
from callmissed_ai.transports.base import Transport
from callmissed_ai.transports.native import native_api


def open_transport(
    provider: ProviderSettings, environment: Mapping[str, str], clock: Clock = system_clock
) -> Transport:
    """The transport of `provider`, whose placeholders are replaced; its key is in `environment`.

    Each is imported when a provider needs it, because few processes need all. The type checker holds that every
    `TransportName` has its case.
    """
    api_key = environment.get(provider.api_key_env) if provider.api_key_env else None
    match provider.transport:
        case "bare":
            return _http(provider, environment, api_key, clock)
        case "openai_sdk":
            from callmissed_ai.transports.openai_sdk import OpenAiSdkTransport

            return OpenAiSdkTransport(provider.base_url, api_key, provider.headers)
        case "anthropic_sdk":
            from callmissed_ai.transports.anthropic_sdk import AnthropicSdkTransport

            return AnthropicSdkTransport(provider.base_url, api_key, provider.auth, provider.headers)
        case name:
            return native_api(name).transport(_http(provider, environment, api_key, clock))


def _http(provider: ProviderSettings, environment: Mapping[str, str], api_key: str | None, clock: Clock) -> Transport:
    from callmissed_ai.transports.http import HttpTransport

    headers = {**_key_header(provider, api_key), **provider.headers}
    region = signing_region(provider, environment) if is_signed(provider, environment) else ""
    return HttpTransport(provider.base_url, headers, signing_region=region, clock=clock)


def _key_header(provider: ProviderSettings, api_key: str | None) -> dict[str, str]:
    if not api_key:
        return {}
    if provider.auth == TOKEN:
        return {"Authorization": f"Token {api_key}"}
    return {"Authorization": f"Bearer {api_key}"} if provider.auth in (BEARER, SIGV4) else {provider.auth: api_key}
