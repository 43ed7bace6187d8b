"""The responses dialect as calls use it; implements `Dialect`."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

from callmissed.catalog.model import DialectName, Model
from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Conversation, Reply, ReplyFrame
from callmissed_ai.dialects.dialect import Asked, Charge, Target
from callmissed_ai.dialects.further_fields import FurtherField
from callmissed_ai.dialects.openai_chat.errors import refusal_of
from callmissed_ai.dialects.openai_responses import (
    addressing,
    fields,
    reply_reader,
    reply_writer,
    request_reader,
    request_writer,
    usage,
)
from callmissed_ai.dialects.openai_responses.request import (
    PATH,
    check_counts,
    images,
    max_input_tokens,
    parse_responses,
)
from callmissed_ai.dialects.openai_responses.response_object import gateway_fields
from callmissed_ai.dialects.openai_responses.stream import ResponseStreamPassage, ResponseStreamReader
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_meter import StreamMeter
from callmissed_ai.dialects.translation import reply_meter
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter

_PROMPT = "input"


class ResponsesDialect:
    """OpenAI's responses."""

    name: DialectName = "openai_responses"
    writes_by_model: bool = False
    refuses_own: bool = True
    limit_field: str = "max_output_tokens"

    def check_size(self, body: Mapping[str, Any], size: int) -> None:
        """See `Dialect.check_size`."""
        check_counts(body, size)

    def without_neutral_values(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Dialect.without_neutral_values`."""
        return fields.without_neutral_values(body)

    def ask(self, body: Mapping[str, Any], size: int) -> Asked:
        """See `Dialect.ask`."""
        request = parse_responses(body)
        return Asked(
            model=request.model,
            model_ids=request.model_ids,
            streamed=bool(request.stream),
            wants_usage=True,
            output_limits=request.output_limits,
            choices=1,
            input_tokens=max_input_tokens(body, size),
            has_images=bool(images(body)),
            prompt_field=_PROMPT,
            uses_tools=bool(request.tools),
            wants_json=_format_type(request.text) in ("json_object", "json_schema"),
            provider=request.provider,
        )

    def upstream_path(self, upstream_id: str, *, streamed: bool) -> str:
        """See `UpstreamDialect.upstream_path`."""
        return PATH

    def full_model_id(self, model_id: str) -> str:
        """See `Dialect.full_model_id`."""
        return model_id

    def further_fields(self, body: Mapping[str, Any]) -> Iterable[FurtherField]:
        """See `Dialect.further_fields`."""
        return fields.further_response_fields(body)

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """See `UpstreamDialect.addressed`."""
        return addressing.addressed(body, model, upstream_id, limit)

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
        frame = new_frame()
        if streamed:
            return StreamMeter(ResponseStreamPassage(frame), bounds, charge)
        read = partial(reply_reader.read_reply, lenient=True)
        return reply_meter(partial(_passed, frame), read, bounds, charge, self.write_usage)

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """See `UpstreamDialect.read_reply`."""
        return reply_reader.read_reply(reply)

    def write_reply(self, reply: Reply, frame: ReplyFrame) -> Mapping[str, Any]:
        """See `Dialect.write_reply`."""
        return reply_writer.write_reply(reply, frame)

    def stream_reader(self) -> ResponseStreamReader:
        """See `UpstreamDialect.stream_reader`."""
        return ResponseStreamReader()

    def write_usage(self, used: TokenUsage) -> Mapping[str, Any]:
        """See `Dialect.write_usage`."""
        return usage.write_usage(used)

    def stream_writer(self, frame: ReplyFrame, *, wants_usage: bool) -> reply_writer.ResponseStreamWriter:
        """See `Dialect.stream_writer`."""
        return reply_writer.ResponseStreamWriter(frame)

    def closing(self, error: ApiError, request_id: str) -> bytes:
        """See `Dialect.closing`."""
        return reply_writer.closing(error, request_id)

    def refusal(self, error: object) -> ApiError:
        """See `UpstreamDialect.refusal`."""
        return refusal_of(error, _PROMPT)


def _passed(frame: ReplyFrame, _body: bytes, reply: Mapping[str, Any]) -> bytes:
    """A whole reply, with what only the gateway knows of it. Raises UnusableReply for what is no response."""
    reply_reader.read_reply(reply, lenient=True)
    passed = {**reply, **gateway_fields(frame)}
    return written_json(passed)


def _format_type(text: Mapping[str, Any] | None) -> object:
    """The type of the format that a reply's text must have."""
    wanted = (text or {}).get("format")
    return cast("dict[str, Any]", wanted).get("type") if isinstance(wanted, dict) else None
