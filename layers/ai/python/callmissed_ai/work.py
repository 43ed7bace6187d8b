"""What a service supplies to the pipeline: a priced request, and what reads the usage of its reply."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from callmissed.catalog.model import Model, ProviderRoute
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from callmissed.platform.routes import Permission
from callmissed.tenants.tenants import TenantSettings
from callmissed_ai.charges import Charges
from callmissed_ai.preferences.wishes import Preferences
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia

JSON: Final = "application/json"
"""Media type of most replies."""


@dataclass(frozen=True, slots=True)
class SettledCall:
    """What a call knows when its reply is whole: what it costs, and what its payer has left, if its wallet is known."""

    call_id: str
    started: Micros
    cost: MicroCredits
    balance: MicroCredits | None


Complete = Callable[[bytes, SettledCall], bytes]
"""A whole reply with what only the call knows."""


class Meter(Protocol):
    """Reads one reply on its way through.

    Nothing may be passed on once the reply is `finished`, nor once it is `broken`, which says why it can't be used.
    A reply that breaks before it has `begun` costs nothing, and another upstream is asked
    (docs/decisions/0012-when-a-reply-begins.md).
    """

    @property
    def begun(self) -> bool:
        """Whether a part of the reply itself has come. This is the one place that decides it."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the reply is complete."""
        ...

    @property
    def broken(self) -> str:
        """Why the reply can't be used, "" while it can."""
        ...

    @property
    def runaway(self) -> bool:
        """Whether the reply is broken because it went on far above its limit."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Take what the upstream sent; returns what may be passed on by now."""
        ...

    def end(self) -> bytes:
        """Take the body's end; returns what is left to pass on. The reply is then finished or broken."""
        ...

    async def charges(self) -> Charges:
        """What the reply costs so far: what it reports, else what is counted in a thread."""
        ...

    def final(self, body: bytes) -> bytes:
        """The whole reply `body`, with the tokens that `charges` counted where the upstream reports none."""
        ...

    @property
    def response(self) -> dict[str, Any] | None:
        """The whole reply as the caller gets it, once it is finished, where the dialect sends it as one object.

        `closing` sends this very object.
        """
        ...

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """The last bytes of a stream that has begun, sent after the settlement: its end, or the error's event."""
        ...


class PayerAccess(Protocol):
    """What of a payer decides which models may serve its call; `calls.call.AdmittedPayer` has it."""

    @property
    def plan(self) -> str:
        """The plan of the payer's tenant."""
        ...

    @property
    def models(self) -> frozenset[str]:
        """Ids of the models that the payer may use, `*` for all."""
        ...

    @property
    def search_providers(self) -> frozenset[str]:
        """Those of searches."""
        ...

    @property
    def is_sandboxed(self) -> bool:
        """Whether the sandbox answers, whichever model is asked for."""
        ...


class Work(Protocol):
    """A priced request of one service. `models` are the one asked for and its fallbacks."""

    @property
    def models(self) -> tuple[Model, ...]:
        """Models that may serve the call, in the order in which they are tried."""
        ...

    @property
    def model_id(self) -> str:
        """Id of the model asked for, whichever serves."""
        ...

    @property
    def preferences(self) -> Preferences:
        """The caller's wishes about providers."""
        ...

    @property
    def permission(self) -> Permission:
        """What an API key needs."""
        ...

    @property
    def service(self) -> str:
        """Name of the service in the ledger."""
        ...

    @property
    def quota(self) -> str:
        """The monthly quota that counts the call."""
        ...

    @property
    def streamed(self) -> bool:
        """Whether the reply is passed on as it comes."""
        ...

    @property
    def media_type(self) -> str:
        """Media type of a whole reply."""
        ...

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        ...

    def shorter(self, available: MicroCredits) -> "Work | None":
        """The same call made so short that `available` micro-credits cover it, or None if that is no use."""
        ...

    def permitted(self, access: PayerAccess) -> "Work":
        """The same call with those of its models that its payer may use. Raises ApiError 403."""
        ...

    @property
    def follows_settings(self) -> bool:
        """Whether settings of the payer's tenant change the call. They are read for no other."""
        ...

    def following(self, settings: TenantSettings) -> "Work":
        """The same call as the tenant's `settings` have it, for the estimate that is held already."""
        ...

    def narrowed(self, models: tuple[Model, ...]) -> "Work":
        """The same call for these models alone, with the routes that they have here."""
        ...

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "Work":
        """The same call with all that `route` can't `fetch` for itself. Raises ApiError 400."""
        ...

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """What to send to `route`. Raises ApiError 400 for a request that its provider's dialect can't have."""
        ...

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """Raise the ApiError 400 that `request_for` raises, if it does."""
        ...

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """Our words for a 4xx of `route` that the caller must change; `error` is what its body says of it."""
        ...

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """`refused`, which names fields of the dialect of `route`, with the caller's own names."""
        ...

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """A meter for a reply of `model` from `route`.

        A sandboxed call costs nothing, so its tokens need not be counted exactly.
        """
        ...
