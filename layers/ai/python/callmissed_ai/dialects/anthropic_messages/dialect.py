"""The messages dialect as calls use it; implements `Dialect`."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from callmissed.catalog.model import DialectName, Model
from callmissed.errors import ApiError
from callmissed_ai.dialects.anthropic_messages import (
    fields,
    reply_reader,
    reply_writer,
    request_reader,
    request_writer,
    usage,
)
from callmissed_ai.dialects.anthropic_messages.errors import refusal_of
from callmissed_ai.dialects.anthropic_messages.request import (
    GATEWAY_FIELDS,
    PATH,
    MessagesRequest,
    check_counts,
    full_model_id,
    image_blocks,
    max_input_tokens,
)
from callmissed_ai.dialects.anthropic_messages.rules.thinking import with_budget
from callmissed_ai.dialects.anthropic_messages.stream import MessageStreamPassage, MessageStreamReader
from callmissed_ai.dialects.conversation import Conversation, Reply, ReplyFrame
from callmissed_ai.dialects.dialect import Asked, Charge, Target
from callmissed_ai.dialects.further_fields import FurtherField
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_meter import StreamMeter
from callmissed_ai.dialects.stream_reader import StreamReader
from callmissed_ai.dialects.translation import reply_meter
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter


class MessagesDialect:
    """Anthropic's messages."""

    name: DialectName = "anthropic_messages"
    writes_by_model: bool = False
    refuses_own: bool = False
    limit_field: str = "max_tokens"

    def check_size(self, body: Mapping[str, Any], size: int) -> None:
        """See `Dialect.check_size`."""
        check_counts(body, size)

    def without_neutral_values(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Dialect.without_neutral_values`."""
        return fields.without_neutral_values(body)

    def ask(self, body: Mapping[str, Any], size: int) -> Asked:
        """See `Dialect.ask`."""
        try:
            request = MessagesRequest.model_validate(body)
        except ValidationError as error:
            raise request_reader.invalid(error) from None
        return Asked(
            model=request.model,
            model_ids=request.model_ids,
            streamed=bool(request.stream),
            wants_usage=True,
            output_limits={"max_tokens": request.max_tokens},
            choices=1,
            input_tokens=max_input_tokens(body, size),
            has_images=bool(image_blocks(body)),
            uses_tools=bool(request.tools),
            wants_json=bool((request.output_config or {}).get("format")),
            provider=request.provider,
        )

    def upstream_path(self, upstream_id: str, *, streamed: bool) -> str:
        """See `UpstreamDialect.upstream_path`."""
        return PATH

    def full_model_id(self, model_id: str) -> str:
        """See `Dialect.full_model_id`."""
        return full_model_id(model_id)

    def further_fields(self, body: Mapping[str, Any]) -> Iterable[FurtherField]:
        """See `Dialect.further_fields`."""
        return fields.further_message_fields(body)

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """See `UpstreamDialect.addressed`."""
        sent: Mapping[str, Any] = {name: value for name, value in body.items() if name not in GATEWAY_FIELDS}
        sent = with_budget(sent, limit) if model.thinks_by_budget else sent
        return {**sent, "model": upstream_id, "max_tokens": limit}

    def read_request(self, body: Mapping[str, Any]) -> Conversation:
        """See `Dialect.read_request`."""
        return request_reader.read_request(body)

    def write_request(self, conversation: Conversation, target: Target | None = None) -> Mapping[str, Any]:
        """See `Dialect.write_request`."""
        return request_writer.write_request(conversation)

    def count(self, body: Mapping[str, Any], limit: int | None) -> int:
        """See `Dialect.count`."""
        return usage.count_request(body, limit)

    def estimate(self, body: Mapping[str, Any]) -> int:
        """See `Dialect.estimate`."""
        return usage.estimate_request(body)

    def meter(
        self,
        new_frame: Callable[[], ReplyFrame],
        *,
        streamed: bool,
        wants_usage: bool,
        bounds: OutputBounds,
        charge: Charge,
    ) -> Meter:
        """See `Dialect.meter`."""
        if streamed:
            return StreamMeter(MessageStreamPassage(new_frame), bounds, charge)
        return reply_meter(partial(_named, new_frame), reply_reader.read_reply, bounds, charge, self.write_usage)

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """See `UpstreamDialect.read_reply`."""
        return reply_reader.read_reply(reply)

    def write_reply(self, reply: Reply, frame: ReplyFrame) -> Mapping[str, Any]:
        """See `Dialect.write_reply`."""
        return reply_writer.write_reply(reply, frame)

    def stream_reader(self) -> StreamReader:
        """See `UpstreamDialect.stream_reader`."""
        return MessageStreamReader()

    def write_usage(self, used: TokenUsage) -> Mapping[str, Any]:
        """See `Dialect.write_usage`."""
        return reply_writer.write_usage(used)

    def stream_writer(self, frame: ReplyFrame, *, wants_usage: bool) -> reply_writer.MessageStreamWriter:
        """See `Dialect.stream_writer`."""
        return reply_writer.MessageStreamWriter(frame)

    def closing(self, error: ApiError, request_id: str) -> bytes:
        """See `Dialect.closing`."""
        return reply_writer.closing(error, request_id)

    def refusal(self, error: object) -> ApiError:
        """See `UpstreamDialect.refusal`."""
        return refusal_of(error)


def _named(new_frame: Callable[[], ReplyFrame], _body: bytes, reply: Mapping[str, Any]) -> bytes:
    """A whole reply with the caller's name of the model. Raises UnusableReply for what is no message."""
    reply_reader.read_reply(reply)
    return written_json({**reply, "model": new_frame().model})
