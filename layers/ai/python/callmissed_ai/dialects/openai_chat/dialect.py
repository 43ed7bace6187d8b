"""The chat dialect as calls use it; implements `Dialect`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from callmissed.catalog.model import DialectName, Model
from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import Conversation, Reply, ReplyFrame
from callmissed_ai.dialects.dialect import Asked, Charge, Target
from callmissed_ai.dialects.further_fields import FurtherField
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.openai_chat import (
    errors,
    fields,
    reply_reader,
    reply_writer,
    request_reader,
    request_writer,
    stream,
    usage,
)
from callmissed_ai.dialects.openai_chat.reply import checked_reply, written_text
from callmissed_ai.dialects.openai_chat.request import (
    GATEWAY_FIELDS,
    LIMIT_FIELDS,
    PATH,
    check_counts,
    content_parts,
    images,
    max_input_tokens,
    parse_chat,
    thinking_budget,
)
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter

_REWRITTEN_FIELDS = GATEWAY_FIELDS | {*LIMIT_FIELDS}


class ChatDialect:
    """OpenAI's chat completions."""

    name: DialectName = "openai_chat"
    writes_by_model: bool = False
    refuses_own: bool = False
    limit_field: str = "max_completion_tokens"

    def check_size(self, body: Mapping[str, Any], size: int) -> None:
        """See `Dialect.check_size`."""
        check_counts(body, size)

    def without_neutral_values(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Dialect.without_neutral_values`."""
        return fields.without_neutral_values(body)

    def ask(self, body: Mapping[str, Any], size: int) -> Asked:
        """See `Dialect.ask`."""
        request, parts = parse_chat(body), content_parts(body)
        uses_tools = bool(request.tools or body.get("functions"))
        wants_json = (request.response_format or {}).get("type") in ("json_object", "json_schema")
        return Asked(
            model=request.model,
            model_ids=request.model_ids,
            streamed=bool(request.stream),
            wants_usage=request.wants_usage,
            output_limits=request.output_limits,
            choices=request.n or 1,
            input_tokens=max_input_tokens(parts, size, instructed=uses_tools or wants_json),
            has_images=bool(images(parts)),
            uses_tools=uses_tools,
            wants_json=wants_json,
            provider=request.provider,
            thinking_budget=thinking_budget(body),
        )

    def upstream_path(self, upstream_id: str, *, streamed: bool) -> str:
        """See `UpstreamDialect.upstream_path`."""
        return PATH

    def full_model_id(self, model_id: str) -> str:
        """See `Dialect.full_model_id`."""
        return model_id

    def further_fields(self, body: Mapping[str, Any]) -> Iterable[FurtherField]:
        """See `Dialect.further_fields`."""
        return fields.further_chat_fields(body)

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """See `UpstreamDialect.addressed`."""
        sent = {name: value for name, value in body.items() if name not in _REWRITTEN_FIELDS}
        sent["model"] = upstream_id
        if sent.get("stream"):
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        sent[model.output_limit_field] = limit
        return _with_effort(sent, model)

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
            return stream.ChatStreamMeter(new_frame, wants_usage=wants_usage, bounds=bounds, charge=charge)

        async def charge_reply(reply: Mapping[str, Any]) -> Charges:
            used = usage.read_usage(usage.reported_usage(reply))
            return await charge(used, lambda: "" if used else written_text(reply))

        return JsonReplyMeter(checked_reply, charge_reply, bounds.body_bytes, self.write_usage)

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """See `UpstreamDialect.read_reply`."""
        checked_reply(b"", reply)
        return reply_reader.read_reply(reply)

    def write_reply(self, reply: Reply, frame: ReplyFrame) -> Mapping[str, Any]:
        """See `Dialect.write_reply`."""
        return reply_writer.write_reply(reply, frame)

    def stream_reader(self) -> reply_reader.ChatStreamReader:
        """See `UpstreamDialect.stream_reader`."""
        return reply_reader.ChatStreamReader()

    def write_usage(self, used: TokenUsage) -> Mapping[str, Any]:
        """See `Dialect.write_usage`."""
        return reply_writer.write_usage(used)

    def stream_writer(self, frame: ReplyFrame, *, wants_usage: bool) -> reply_writer.ChatStreamWriter:
        """See `Dialect.stream_writer`."""
        return reply_writer.ChatStreamWriter(frame, wants_usage=wants_usage)

    def closing(self, error: ApiError, request_id: str) -> bytes:
        """See `Dialect.closing`."""
        return stream.closing(error, request_id)

    def refusal(self, error: object) -> ApiError:
        """See `UpstreamDialect.refusal`."""
        return errors.refusal_of(error, "messages")


def _with_effort(body: dict[str, Any], model: Model) -> dict[str, Any]:
    asked = body.get("reasoning_effort")
    if asked is None or model.reasoning_efforts is None:
        return body
    sent = model.reasoning_efforts.get(asked, asked)
    return body | {"reasoning_effort": sent} if sent else {k: v for k, v in body.items() if k != "reasoning_effort"}
