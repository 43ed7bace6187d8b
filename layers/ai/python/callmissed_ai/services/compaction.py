"""Compaction of a conversation as a billed service, for models whose provider speaks the responses dialect.

What a conversation is compacted to can be read by its provider alone, so nothing is translated. The API has no output
limit; the hold covers the longest reply that the model can write.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, cast

from callmissed.catalog.model import Catalog, DialectName, Model, ProviderRoute
from callmissed.errors import ApiError, invalid_request
from callmissed.money import MicroCredits
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.json_reply import JsonReplyMeter, UnusableReply
from callmissed_ai.dialects.openai_responses.usage import read_usage, write_usage
from callmissed_ai.preferences.wishes import Preferences
from callmissed_ai.services.asked_models import AskedModels
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import PERMISSION, ChatWork
from callmissed_ai.services.responses_store.records import json_text
from callmissed_ai.services.service import Service
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.work import JSON

_DIALECT: DialectName = "openai_responses"
_PATH = "/responses/compact"
_Json = Mapping[str, Any]
_FIELDS = frozenset({"model", "input", "instructions", "previous_response_id", "prompt_cache_key"})


@dataclass(frozen=True, slots=True)
class CompactionWork(AskedModels):
    """A priced compaction; implements `Work`. `chat` is the call that it would be as a response."""

    chat: ChatWork

    permission = PERMISSION
    service = "llm"
    quota = "llm"
    media_type = JSON
    streamed = False

    @property
    def models(self) -> tuple[Model, ...]:
        """See `Work.models`."""
        return self.chat.models

    @property
    def estimate(self) -> MicroCredits:
        """See `Work.estimate`."""
        return self.chat.estimate

    @property
    def model_id(self) -> str:
        """See `Work.model_id`."""
        return self.chat.model_id

    @property
    def preferences(self) -> Preferences:
        """See `Work.preferences`."""
        return self.chat.preferences

    def narrowed(self, models: tuple[Model, ...]) -> "CompactionWork":
        """See `Work.narrowed`."""
        return replace(self, chat=self.chat.narrowed(models))

    def shorter(self, available: MicroCredits) -> "CompactionWork | None":
        """None: the reply can't be limited."""
        return None

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "CompactionWork":
        """See `Work.ready_for`."""
        return replace(self, chat=await self.chat.ready_for(route, fetch))

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """See `Work.request_for`. Raises ApiError 400 for the sandbox, which compacts nothing."""
        if self.chat.request.dialects[route.provider] != _DIALECT:
            raise _not_offered(model)
        call = self.chat.request_for(model, route)
        sent = {name: value for name, value in cast("_Json", call.body).items() if name in _FIELDS}
        return replace(call, path=_PATH, body=sent)

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """See `Work.check_route`."""
        self.request_for(model, route)

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """See `Work.refusal`."""
        return self.chat.refusal(route, error)

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """See `Work.in_callers_terms`."""
        return self.chat.in_callers_terms(route, refused)

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> JsonReplyMeter:
        """See `Work.meter`."""
        charged = _charged(self.chat.charge(model, sandboxed=sandboxed))
        return JsonReplyMeter(_passed, charged, write_usage=write_usage)


def parse_compaction(catalog: Catalog, body: Mapping[str, Any], size: int) -> CompactionWork:
    """The work of a `body` of `size` bytes. Raises ApiError 400, 404 or 503 for what no model can do."""
    for name, value in body.items():
        if name not in _FIELDS and value is not None:
            shown = name[:60].encode(errors="replace").decode()
            raise invalid_request(f"'{shown}' is not supported for a compaction.", shown, "unsupported_field")
    chat = parse(_DIALECT, catalog, body, size)
    models = tuple(_compacting(catalog, model) for model in chat.models)
    most = max(model.max_output_tokens for model in models)
    return CompactionWork(replace(chat, models=models, output_tokens=most))


def compaction_service() -> Service:
    """Compaction, which may continue a stored response and stores none."""
    return Service(PERMISSION, parse_compaction, continues=True)


def _compacting(catalog: Catalog, model: Model) -> Model:
    """`model` with the routes that can compact alone."""
    routes = tuple(route for route in model.routes if catalog.dialects.get(route.provider) == _DIALECT)
    if not routes:
        raise _not_offered(model)
    return replace(model, routes=routes)


def _not_offered(model: Model) -> ApiError:
    message = f"The model '{model.id}' can't compact a conversation: its provider's API has no such thing."
    return invalid_request(message, "model", "unsupported_model")


def _passed(_body: bytes, reply: dict[str, Any]) -> bytes:
    """A whole reply under an id of ours. Raises UnusableReply for what is no compaction."""
    if reply.get("object") != "response.compaction" or not isinstance(reply.get("output"), list):
        raise UnusableReply("no compaction")
    return json_text({**reply, "id": f"resp_{token_hex(12)}"})


def _charged(charge: Charge) -> Callable[[dict[str, Any]], Awaitable[Charges]]:
    async def charges(reply: dict[str, Any]) -> Charges:
        reported = read_usage(reply.get("usage"))
        return await charge(reported, lambda: "" if reported else _written(reply))

    return charges


def _written(reply: _Json) -> str:
    """The text of a compaction, which its provider alone can read."""
    items = [cast("_Json", item) for item in reply["output"] if isinstance(item, dict)]
    return "".join(str(item.get("encrypted_content") or "") for item in items)
