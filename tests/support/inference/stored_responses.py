"""Stored responses as calls leave them."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from callmissed.aws.database import Database
from callmissed.clock import Micros, system_clock
from callmissed_ai.services.responses_store.records import JsonObject, Owner, StoredResponse
from callmissed_ai.services.responses_store.store import ResponsesStore
from tests.support.idempotency import MemoryAnswers
from tests.support.inference.gateway import Accounts


def user(text: str) -> dict[str, Any]:
    """A message of the user's."""
    return {"type": "message", "role": "user", "content": text}


def reference(item_id: object) -> dict[str, Any]:
    """A reference to an item that is stored."""
    return {"type": "item_reference", "id": item_id}


def assistant(text: str, item_id: str = "") -> dict[str, Any]:
    """A message of the model's, as a response has it."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": item_id or f"msg_{token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def stored_response(
    owner: Owner = Owner("tnt_a"),  # noqa: B008  an immutable value
    *,
    given: Sequence[JsonObject] = (),
    output: Sequence[JsonObject] = (),
    earlier: Sequence[JsonObject] = (),
    created: int | None = None,
    response_id: str = "",
) -> StoredResponse:
    """A stored response of `owner`, made now unless `created` says when."""
    response = {
        "id": response_id or f"resp_{token_hex(12)}",
        "object": "response",
        "status": "completed",
        "output": list(output or [assistant("Hello")]),
    }
    return StoredResponse(
        owner, Micros(created or system_clock()), response, list(given or [user("Hi")]), list(earlier)
    )


def store_of(accounts: Accounts) -> ResponsesStore:
    """The store of the accounts' stage, without S3."""
    return ResponsesStore(Database(accounts.dynamodb, accounts.stage), MemoryAnswers(), system_clock)
