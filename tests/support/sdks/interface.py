"""What the tests ask of an SDK, whichever its language: calls, streams, and the errors that it raises."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel


@dataclass(eq=False)
class SdkError(Exception):
    """An error as the SDK's users see it. `name` is the SDK's own class."""

    name: str
    message: str
    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    request_id: str | None = None
    retry_after: str | None = None


class Sdk(Protocol):
    """One official SDK against one base URL. Methods are named as in its documentation."""

    def call(self, key: str, method: str, *arguments: Any, retries: int = 0, **params: Any) -> Any:
        """The result of `method`, such as `chat.completions.create`, as JSON. Raises SdkError."""
        ...

    def stream(self, key: str, **params: Any) -> Iterator[Any]:
        """Chunks of a streamed chat completion, as they come; closing the iterator hangs up. Raises SdkError."""
        ...

    def parse(self, key: str, shape: type[BaseModel], **params: Any) -> Any:
        """What the SDK's parse helper makes of a reply that must have the shape, as JSON. Raises SdkError."""
        ...
