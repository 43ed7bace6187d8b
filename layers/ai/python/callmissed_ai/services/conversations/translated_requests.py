"""A request in the forms that it takes for the providers that may serve it."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Conversation

Body = Mapping[str, Any]


class TranslatedRequests:
    """A request that `read` reads when its first route of another dialect needs it, and that is written once a form."""

    def __init__(self, read: Callable[[], Conversation]) -> None:
        self._read = read
        self._conversation: Conversation | None = None
        self._forms: dict[Hashable, Body | ApiError] = {}

    def written(self, form: Hashable, write: Callable[[Conversation], Body]) -> Body:
        """The request as `write` writes it for the routes that need this `form`. Raises ApiError 400 again."""
        if form not in self._forms:
            self._forms[form] = self._written(write)
        body = self._forms[form]
        if isinstance(body, ApiError):
            raise body
        return body

    def _written(self, write: Callable[[Conversation], Body]) -> Body | ApiError:
        try:
            self._conversation = self._conversation or self._read()
            return write(self._conversation)
        except ApiError as refused:
            return refused
