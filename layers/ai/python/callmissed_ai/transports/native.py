"""Providers with APIs of their own, one module each: requests and replies are OpenAI's at their edge, so that a service
knows one format.

A module `callmissed_ai.providers.<name>` for each `NativeName` has the `NativeApi` in its `API`. It is imported when a
call needs it.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

from callmissed.catalog.model import NativeName, ProviderSettings
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.transports.base import Transport, UpstreamCall


class NativeApi(Protocol):
    """One provider's API."""

    def check(self, call: UpstreamCall) -> None:
        """Raise ApiError 400, whose `param` names the field, for a call that the API can't express."""
        ...

    def transport(self, http: Transport) -> Transport:
        """A transport that takes a service's call and answers in the service's format, over `http` to the API."""
        ...


@runtime_checkable
class ChargesExtra(Protocol):
    """An API whose provider charges more for some calls than for others of the same quantity."""

    def extras(self, call: UpstreamCall) -> Sequence[str]:
        """Fields of `call` for which the provider charges beyond its price of a call."""
        ...


def native_api(name: NativeName) -> NativeApi:
    """The API of that name."""
    return cast(NativeApi, import_module(f"callmissed_ai.providers.{name}").API)


def check_call(provider: ProviderSettings, call: UpstreamCall) -> None:
    """Raise ApiError 400 for a call that `provider` can't have, or has at a price of its own.

    One with OpenAI's paths may have them all.
    """
    if provider.dialect != "native":
        return
    api = native_api(cast(NativeName, provider.transport))
    api.check(call)
    for name in api.extras(call) if isinstance(api, ChargesExtra) else ():
        if name not in provider.unpriced_fields:
            raise charged_extra(name, name)


def charged_extra(extra: str, param: str) -> ApiError:
    """400 for what a provider charges beside the model's price: `extra`, which the field `param` asks for."""
    message = f"This model's provider charges extra for '{extra}', and the model's price has no such part."
    return invalid_request(message, param, "unsupported_field")
