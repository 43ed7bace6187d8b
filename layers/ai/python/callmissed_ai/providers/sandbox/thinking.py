"""The sandbox's thoughts are signed: who sends them back changed is refused, as by Anthropic.

The signature is a hash of the text, so it needs neither a key nor a memory.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callmissed_ai.dialects.openai_chat.reasoning import SANDBOX_DETAIL, SANDBOX_FORMAT
from callmissed_ai.dialects.openai_chat.reply import objects
from callmissed_ai.providers.sandbox.rejection import Rejected

_PURPOSE = b"callmissed sandbox thinking\0"


def signature_of(text: str) -> str:
    """The signature of a thought."""
    return base64.b64encode(hashlib.sha256(_PURPOSE + text.encode()).digest()).decode()


def details_of(text: str) -> list[dict[str, Any]]:
    """`reasoning_details` of a message with that thought, none for no thought."""
    return [{**SANDBOX_DETAIL, "text": text, "signature": signature_of(text)}] if text else []


def grown_details(tokens: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """`reasoning_details` of the chunks that bring a thought token by token.

    Clients put the texts of chunks together, so the signature is in the last chunk alone, and the format in the first.
    """
    for number, token in enumerate(tokens):
        detail = {**SANDBOX_DETAIL, "text": token}
        if number:
            del detail["format"]
        if number == len(tokens) - 1:
            detail["signature"] = signature_of("".join(tokens))
        yield [detail]


def check_signatures(body: Mapping[str, Any]) -> None:
    """Check the thoughts of the sandbox that came back. Raises Rejected."""
    for number, message in enumerate(body["messages"]):
        for index, detail in enumerate(objects(message.get("reasoning_details"))):
            if detail.get("format") == SANDBOX_FORMAT:
                _check(detail, f"messages[{number}].reasoning_details[{index}]")


def _check(detail: Mapping[str, Any], param: str) -> None:
    if detail.get("type") != SANDBOX_DETAIL["type"]:
        raise Rejected("Invalid `data` in `redacted_thinking` block: the sandbox never redacts.", param)
    if detail.get("signature") != signature_of(str(detail.get("text") or "")):
        message = "Invalid `signature` in `thinking` block: send thinking back exactly as it came."
        raise Rejected(message, f"{param}.signature", "invalid_signature")
