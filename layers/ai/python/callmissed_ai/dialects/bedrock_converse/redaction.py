"""Thoughts that only their provider can read: bytes here, text in other dialects.

What Claude encrypts is text, which Anthropic's own dialect has as it is and Bedrock in base64.
"""

import base64

_MARK = "bedrock:"
"""Before the base64 of bytes that are no text."""


def text_of(redacted: str) -> str:
    """The text for the base64 `redacted`."""
    try:
        text = base64.b64decode(redacted, validate=True).decode()
    except ValueError:
        return _MARK + redacted
    return text if base64.b64encode(text.encode()).decode() == redacted else _MARK + redacted


def redacted_of(text: str) -> str:
    """The base64 that `text_of` made `text` of."""
    return text.removeprefix(_MARK) if text.startswith(_MARK) else base64.b64encode(text.encode()).decode()
