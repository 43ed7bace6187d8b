"""The messages dialect as calls use it; implements `Dialect`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from callmissed.catalog.model import DialectName, Model
from callmissed.errors import ApiError
from callmissed_ai.dialects.anthropic_messages import reader, usage, writer
from callmissed_ai.dialects.anthropic_messages.request import (
    PATH,
    MessagesRequest,
    check_counts,
    image_blocks,
    image_bytes,
)
from callmissed_ai.dialects.conversation import Conversation, Reply
from callmissed_ai.dialects.dialect import Asked, Charge
from callmissed_ai.dialects.further_fields import FurtherField
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_reader import StreamReader
from callmissed_ai.tokens.bounds import max_request_tokens
from callmissed_ai.work import Meter


class MessagesDialect:
    """Anthropic's messages."""

    name: DialectName = "anthropic_messages"
    path: str = PATH

    def check_size(self, body: Mapping[str, Any], size: int) -> None:
        """See `Dialect.check_size`."""
        check_counts(body, size)

    def without_neutral_values(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Dialect.without_neutral_values`."""
        return {name: value for name, value in body.items() if value is not None}

    def ask(self, body: Mapping[str, Any], size: int) -> Asked:
        """See `Dialect.ask`."""
        try:
            request = MessagesRequest.model_validate(body)
        except ValidationError as error:
            raise reader.invalid(error) from None
        images = image_blocks(body)
        return Asked(
            model=request.model,
            model_ids=request.model_ids,
            streamed=bool(request.stream),
            wants_usage=True,
            output_limits={"max_tokens": request.max_tokens},
            choices=1,
            input_tokens=max_request_tokens(size - sum(map(image_bytes, images)), len(images)),
            has_images=bool(images),
        )

    def further_fields(self, body: Mapping[str, Any]) -> Iterable[FurtherField]:
        """See `Dialect.further_fields`."""
        return ()

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """See `Dialect.addressed`."""
        raise NotImplementedError

    def read_request(self, body: Mapping[str, Any]) -> Conversation:
        """See `Dialect.read_request`."""
        return reader.read_request(body)

    def write_request(self, conversation: Conversation) -> Mapping[str, Any]:
        """See `Dialect.write_request`."""
        raise NotImplementedError

    def count(self, body: Mapping[str, Any], limit: int | None) -> int:
        """See `Dialect.count`."""
        return usage.count_request(body, limit)

    def estimate(self, body: Mapping[str, Any]) -> int:
        """See `Dialect.estimate`."""
        return usage.estimate_request(body)

    def meter(self, *, streamed: bool, wants_usage: bool, bounds: OutputBounds, charge: Charge) -> Meter:
        """See `Dialect.meter`."""
        raise NotImplementedError

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """See `Dialect.read_reply`."""
        raise NotImplementedError

    def write_reply(self, reply: Reply, reply_id: str, model: str) -> Mapping[str, Any]:
        """See `Dialect.write_reply`."""
        return writer.write_reply(reply, f"msg_{reply_id}", model)

    def stream_reader(self) -> StreamReader:
        """See `Dialect.stream_reader`."""
        raise NotImplementedError

    def stream_writer(self, reply_id: str, model: str) -> writer.MessageStreamWriter:
        """See `Dialect.stream_writer`."""
        return writer.MessageStreamWriter(f"msg_{reply_id}", model)

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Dialect.closing`."""
        return writer.closing(error, request_id)

    def refusal(self, error: object) -> ApiError:
        """See `Dialect.refusal`."""
        raise NotImplementedError
