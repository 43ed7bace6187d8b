"""A chat request, and what each route gets of it: the caller's body in its own dialect, a translation in others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from callmissed.catalog.model import (
    OPENROUTER,
    SANDBOX,
    Model,
    ProviderRoute,
    ProviderSettings,
    UpstreamDialectName,
)
from callmissed.errors import ApiError
from callmissed_ai.dialects.adaptation.field_names import in_neutral_terms, in_own_terms
from callmissed_ai.dialects.adaptation.media import media_urls, with_inline_media
from callmissed_ai.dialects.adaptation.quirks import adapted
from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.dialect import Asked, Dialect, Target, UpstreamDialect
from callmissed_ai.dialects.opening import open_upstream_dialect
from callmissed_ai.preferences.request_field import FIELD
from callmissed_ai.preferences.wishes import NO_PREFERENCES, Preferences, Sort, for_openrouter
from callmissed_ai.services.conversations.betas import beta_headers
from callmissed_ai.services.conversations.translated_requests import TranslatedRequests
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia

SORTS: Mapping[str, Sort] = {"nitro": "throughput", "floor": "price"}
"""What a routing suffix sorts by."""

_SUFFIXES = {sort: suffix for suffix, sort in SORTS.items()}


_OURS = frozenset({FIELD, "route"})
"""Fields that are said to the gateway alone, and so are in no dialect."""


def translated_requests(caller: Dialect, body: Mapping[str, Any]) -> TranslatedRequests:
    """The request `body` of a `caller` in other dialects."""
    return TranslatedRequests(
        lambda: caller.read_request({name: value for name, value in body.items() if name not in _OURS})
    )


@dataclass(frozen=True, slots=True)
class CallerRequest:
    """A request for the routes of several models.

    `body` is the request in the `caller`'s dialect, `asked` what the gateway reads of it, and `translated` has it in
    other dialects; `dialects` and `providers` have those of the catalog. `betas` are those that the caller asks for.
    """

    caller: Dialect
    dialects: Mapping[str, UpstreamDialectName]
    providers: Mapping[str, ProviderSettings]
    body: Mapping[str, Any]
    asked: Asked
    translated: TranslatedRequests
    preferences: Preferences = NO_PREFERENCES
    betas: tuple[str, ...] = ()

    def dialect_of(self, route: ProviderRoute) -> UpstreamDialect:
        """The dialect that the provider of `route` speaks."""
        return open_upstream_dialect(self.dialects[route.provider])

    def upstream_call(self, model: Model, route: ProviderRoute, limit: int) -> UpstreamCall:
        """What to send to `route`, with the upstream's model id, and usage switched on.

        The output `limit` goes into the one field that this upstream obeys, because the hold relies on it.
        Raises ApiError 400 for what its dialect can't have.
        """
        upstream, upstream_id = self.dialect_of(route), self._upstream_id(model, route)
        provider, is_own = self.providers[route.provider], upstream is self.caller
        body = self.body if is_own else self._translated(model, route, upstream_id, limit)
        path = upstream.upstream_path(upstream_id, streamed=self.asked.streamed)
        sent = adapted(upstream.addressed(body, model, upstream_id, limit), provider.quirks)
        wishes = for_openrouter(self.preferences, model) if route.provider == OPENROUTER else None
        betas = self.betas if is_own else ()
        return UpstreamCall(path, {**sent, FIELD: wishes} if wishes else sent, headers=beta_headers(provider, betas))

    def may_be_refused(self, route: ProviderRoute) -> bool:
        """Whether `upstream_call` may raise ApiError for `route`."""
        upstream = self.dialect_of(route)
        return upstream is not self.caller or upstream.refuses_own

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "CallerRequest":
        """The same request with all that `route` can't `fetch` for itself. Raises ApiError 400."""
        if "inline_images" not in self.providers[route.provider].quirks:
            return self
        named = media_urls(self.body)
        if not named:
            return self
        body = with_inline_media(self.body, await fetch(named))
        return replace(self, body=body, translated=translated_requests(self.caller, body))

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """Our words for a 4xx of `route` that the caller must change; `error` is what its body says of it."""
        upstream = self.dialect_of(route)
        refused = upstream.refusal(error)
        if upstream is self.caller and upstream.name == "anthropic_messages":
            return in_own_terms(refused, self.caller.name)
        return self.in_callers_terms(route, refused)

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """See `Work.in_callers_terms`. Places in lists are left out: they are other ones in another dialect."""
        upstream = self.dialect_of(route)
        if upstream is self.caller:
            return refused
        return in_own_terms(in_neutral_terms(refused, upstream.name), self.caller.name)

    def _translated(self, model: Model, route: ProviderRoute, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """The body in the upstream's dialect. Raises ApiError 400 for what that can't have."""
        upstream = self.dialect_of(route)
        target = Target(model, upstream_id, limit, self._awaits_media(route))
        if route.provider != SANDBOX:
            form = (upstream.name, target.key if upstream.writes_by_model else "")
            return self.translated.written(form, lambda conversation: self._write(upstream, conversation, target))
        from callmissed_ai.services.conversations.sandboxed import for_sandbox  # few calls need it

        return self.translated.written(
            SANDBOX, lambda conversation: self._write(upstream, for_sandbox(conversation), target)
        )

    def _write(self, upstream: UpstreamDialect, conversation: Conversation, target: Target) -> Mapping[str, Any]:
        try:
            return upstream.write_request(conversation, target)
        except ApiError as refused:
            raise in_own_terms(refused, self.caller.name) from None

    def _awaits_media(self, route: ProviderRoute) -> bool:
        return "inline_images" in self.providers[route.provider].quirks and bool(media_urls(self.body))

    def _upstream_id(self, model: Model, route: ProviderRoute) -> str:
        suffix = _SUFFIXES.get(self.preferences.sorts.get(model.billed_id, ""))
        return f"{route.upstream_id}:{suffix}" if suffix and route.provider == OPENROUTER else route.upstream_id
