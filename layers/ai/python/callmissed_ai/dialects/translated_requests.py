"""A request in the dialects of the providers that may serve it."""

from collections.abc import Mapping
from typing import Any

from callmissed.catalog.model import DialectName
from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.dialect import Dialect


class TranslatedRequests:
    """The request `body` of a `caller`, written in each dialect when its first route needs it, and only once."""

    def __init__(self, caller: Dialect, body: Mapping[str, Any]) -> None:
        self._caller = caller
        self._conversation: Conversation | None = None
        self._written: dict[DialectName, Mapping[str, Any] | ApiError] = {caller.name: body}
        self._body = body

    def written_in(self, upstream: Dialect) -> Mapping[str, Any]:
        """The request in the dialect `upstream`. Raises ApiError 400 for what that dialect can't have."""
        if upstream.name not in self._written:
            self._written[upstream.name] = self._write(upstream)
        written = self._written[upstream.name]
        if isinstance(written, ApiError):
            raise written
        return written

    def _write(self, upstream: Dialect) -> Mapping[str, Any] | ApiError:
        try:
            self._conversation = self._conversation or self._caller.read_request(self._body)
            return upstream.write_request(self._conversation)
        except ApiError as refused:
            return refused
