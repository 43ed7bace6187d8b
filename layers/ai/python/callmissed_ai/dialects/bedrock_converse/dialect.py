"""Converse as calls use it; implements `UpstreamDialect`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from callmissed.catalog.model import Model, UpstreamDialectName
from callmissed.errors import ApiError
from callmissed_ai.dialects.bedrock_converse import errors, reply_reader, request_writer
from callmissed_ai.dialects.bedrock_converse.stream import ConverseStreamReader
from callmissed_ai.dialects.conversation import Conversation, Reply
from callmissed_ai.dialects.dialect import Target


class ConverseDialect:
    """Bedrock's Converse and ConverseStream."""

    name: UpstreamDialectName = "bedrock_converse"
    writes_by_model: bool = True
    refuses_own: bool = True

    def upstream_path(self, upstream_id: str, *, streamed: bool) -> str:
        """See `UpstreamDialect.upstream_path`. An ARN is one segment."""
        return f"/model/{quote(upstream_id, safe='')}/{'converse-stream' if streamed else 'converse'}"

    def addressed(self, body: Mapping[str, Any], model: Model, upstream_id: str, limit: int) -> Mapping[str, Any]:
        """See `UpstreamDialect.addressed`. The model stands in the path."""
        return {**body, "inferenceConfig": {**body["inferenceConfig"], "maxTokens": limit}}

    def write_request(self, conversation: Conversation, target: Target) -> Mapping[str, Any]:
        """See `UpstreamDialect.write_request`."""
        return request_writer.write_request(conversation, target)

    def read_reply(self, reply: Mapping[str, Any]) -> Reply:
        """See `UpstreamDialect.read_reply`."""
        return reply_reader.read_reply(reply)

    def stream_reader(self) -> ConverseStreamReader:
        """See `UpstreamDialect.stream_reader`."""
        return ConverseStreamReader()

    def refusal(self, error: object) -> ApiError:
        """See `UpstreamDialect.refusal`."""
        return errors.refusal_of(error)
