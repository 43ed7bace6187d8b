"""What a dialect supplies for calls: of its requests, and of its replies."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from callmissed.catalog.model import Model, UpstreamDialectName
from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import Conversation, Reply, ReplyFrame
from callmissed_ai.dialects.further_fields import FurtherField
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_reader import StreamReader, StreamWriter
from callmissed_ai.preferences.request_field import ProviderPreferences
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter

Charge = Callable[[TokenUsage | None, Callable[[], str]], Awaitable[Charges]]
"""Charges for the reported usage, and for what was written since it was reported."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gateway reads of a request, whichever provider serves it.

    `model` is the name that the caller used, `model_ids` that one and its fallbacks.
    `output_limits` are the caller's own, by field, and `thinking_budget` is the part of the reply that may be thoughts.
    `input_tokens` is an upper bound. `prompt_field` holds the prompt, `provider` is the request's field of that name.
    """

    model: str
    model_ids: Sequence[str]
    streamed: bool
    wants_usage: bool
    output_limits: Mapping[str, int]
    choices: int
    input_tokens: int
    has_images: bool
    thinking_budget: int = 0
    prompt_field: str = "messages"
    uses_tools: bool = False
    wants_json: bool = False
    provider: ProviderPreferences | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a translated request is for: a model, its id at the upstream, and the output limit that it gets.

    `awaits_media` says that the media that the request names by URL will be in it when it is sent.
    """

    model: Model
    upstream_id: str
    output_limit: int
    awaits_media: bool = False

    @property
    def key(self) -> Hashable:
        """The same for targets whose requests are the same."""
        return self.model.billed_id, self.upstream_id, self.output_limit, self.awaits_media


class UpstreamDialect(Protocol):
    """A dialect that upstreams speak."""

    @property
    def name(self) -> UpstreamDialectName:
        """Name in a provider's row."""
        ...

    @property
    def writes_by_model(self) -> bool:
        """Whether a request is written for one model, so that another model gets another one."""
        ...

    @property
    def refuses_own(self) -> bool:
        """Whether `addressed` refuses some requests that callers sent in this dialect."""
        ...

    def upstream_path(self, upstream_id: str, *, streamed: bool) -> str:
        """Path of an upstream below its base URL, percent-encoded, for its model `upstream_id`."""
        ...

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """`body` for the upstream's model `upstream_id`, with usage switched on and the output limit it obeys.

        Raises ApiError 400 where the dialect `refuses_own`.
        """
        ...

    def write_request(self, conversation: Conversation, target: Target) -> Mapping[str, Any]:
        """A request for `target`, without its id and output limit. Raises ApiError 400 for what can't be said there."""
        ...

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """A whole reply. Raises UnusableReply."""
        ...

    def stream_reader(self) -> StreamReader:
        """A reader of one stream."""
        ...

    def refusal(self, error: object) -> ApiError:
        """Our words for an upstream's 4xx that the caller must change; `error` is what its body says of it."""
        ...


class Dialect(UpstreamDialect, Protocol):
    """A dialect that callers speak too: requests pass to upstreams of the same one as they are.

    The body of a request is the JSON object that a caller sent, which `ask` has validated.
    """

    limit_field: str
    """Field of a request with its output limit."""

    def check_size(self, body: Mapping[str, Any], size: int) -> None:
        """Check how much there is to validate. Raises ApiError 400."""
        ...

    def without_neutral_values(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """`body` without fields that say nothing."""
        ...

    def ask(self, body: Mapping[str, Any], size: int) -> Asked:
        """Validate `body`. Raises ApiError 400."""
        ...

    def full_model_id(self, model_id: str) -> str:
        """The id by which to look for a model that the catalog does not have under `model_id`."""
        ...

    def further_fields(self, body: Mapping[str, Any]) -> Iterable[FurtherField]:
        """The fields that not every provider of this dialect may get."""
        ...

    def read_request(self, body: Mapping[str, Any]) -> Conversation:
        """The conversation of a request. Raises ApiError 400 for what no other dialect can have."""
        ...

    def write_request(self, conversation: Conversation, target: Target | None = None) -> Mapping[str, Any]:
        """See `UpstreamDialect.write_request`: the same request for every target."""
        ...

    def count(self, body: Mapping[str, Any], limit: int | None) -> int:
        """Tokens of a request, at most `limit`."""
        ...

    def estimate(self, body: Mapping[str, Any]) -> int:
        """Tokens of a request without reading all of it."""
        ...

    def meter(
        self,
        new_frame: Callable[[], ReplyFrame],
        *,
        streamed: bool,
        wants_usage: bool,
        bounds: OutputBounds,
        charge: Charge,
    ) -> Meter:
        """A meter for a reply that passes on as it is, but for what `new_frame` has of it."""
        ...

    def write_reply(self, reply: Reply, frame: ReplyFrame) -> Mapping[str, Any]:
        """A whole reply."""
        ...

    def write_usage(self, used: TokenUsage) -> Mapping[str, Any]:
        """Usage as a whole reply has it."""
        ...

    def stream_writer(self, frame: ReplyFrame, *, wants_usage: bool) -> StreamWriter:
        """A writer of one stream."""
        ...

    def closing(self, error: ApiError, request_id: str) -> bytes:
        """The last bytes of a stream whose reply never began: its event for the error of the request id."""
        ...
