"""Providers with APIs of their own, one module each: requests and replies are OpenAI's at their edge, so that a service
knows one format.

A module `callmissed_ai.providers.<name>` for each `NativeName` has the `NativeApi` in its `API`. It is imported when a
call needs it.
"""

from importlib import import_module
from typing import Protocol, cast

from callmissed.catalog.model import NativeName, ProviderSettings
from callmissed_ai.transports.base import Transport, UpstreamCall


class NativeApi(Protocol):
    """One provider's API."""

    def check(self, call: UpstreamCall) -> None:
        """Raise ApiError 400, whose `param` names the field, for a call that the API can't express."""
        ...

    def transport(self, http: Transport) -> Transport:
        """A transport that takes a service's call and answers in the service's format, over `http` to the API."""
        ...


def native_api(name: NativeName) -> NativeApi:
    """The API of that name."""
    return cast(NativeApi, import_module(f"callmissed_ai.providers.{name}").API)


def check_call(provider: ProviderSettings, call: UpstreamCall) -> None:
    """Raise ApiError 400 for a call that `provider` can't have. One with OpenAI's paths may have them all."""
    if provider.dialect == "native":
        native_api(cast(NativeName, provider.transport)).check(call)
