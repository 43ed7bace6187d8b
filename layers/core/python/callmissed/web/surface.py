"""The surface on which a request is answered: OpenAI's, Anthropic's or the platform's."""

from starlette.datastructures import Headers
from starlette.types import Scope

VERSION_HEADER = "anthropic-version"
"""Header that Anthropic's SDKs send with every request."""

_SHARED = "/v1/models"
"""Path of both OpenAI's and Anthropic's SDKs, where their base URL is the bare origin."""


def surface_path(scope: Scope) -> str:
    """The path by which the envelope of the answer is chosen.

    A shared path that an Anthropic SDK asks for is answered as below `/anthropic`.
    """
    path: str = scope["path"]
    is_shared = path == _SHARED or path.startswith(f"{_SHARED}/")
    return f"/anthropic{path}" if is_shared and VERSION_HEADER in Headers(scope=scope) else path
