"""One message to one user: what Graph made of it."""

from dataclasses import dataclass
from typing import Any, cast

from functions.bots.channels.whatsapp.errors import GraphFault
from functions.bots.channels.whatsapp.graph import (
    GraphClient,
    GraphIndeterminate,
    GraphRefused,
    GraphUnreachable,
    JsonObject,
)


@dataclass(frozen=True, slots=True)
class SendAccepted:
    """Graph took the message."""

    wamid: str
    contacts: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SendRefused:
    """Graph did not take the message."""

    fault: GraphFault


@dataclass(frozen=True, slots=True)
class SendUnreached:
    """No connection to Graph: the message did not go out."""


@dataclass(frozen=True, slots=True)
class SendUnknown:
    """The message may have gone out."""


SendOutcome = SendAccepted | SendRefused | SendUnreached | SendUnknown


async def send_once(graph: GraphClient, number_id: str, token: str, body: JsonObject) -> SendOutcome:
    """Send the message `body` from the number, once. Raises nothing of Graph's."""
    try:
        answer = await graph.post(f"{number_id}/messages", token, body)
    except GraphRefused as refused:
        return SendRefused(refused.fault)
    except GraphUnreachable:
        return SendUnreached()
    except GraphIndeterminate:
        return SendUnknown()
    wamid = _wamid(answer)
    return SendAccepted(wamid, _contacts(answer)) if wamid else SendUnknown()


async def mark_read(graph: GraphClient, number_id: str, token: str, wamid: str, *, typing: bool) -> None:
    """Show the user that the message was read and, with `typing`, that somebody writes. Raises GraphError."""
    indicator = {"typing_indicator": {"type": "text"}} if typing else {}
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid, **indicator}
    await graph.post(f"{number_id}/messages", token, body)


def _wamid(answer: JsonObject) -> str | None:
    for message in _objects(answer.get("messages")):
        if isinstance(wamid := message.get("id"), str) and wamid:
            return wamid
    return None


def _contacts(answer: JsonObject) -> tuple[JsonObject, ...]:
    return tuple(_objects(answer.get("contacts")))


def _objects(value: object) -> list[JsonObject]:
    if not isinstance(value, list):
        return []
    return [cast("JsonObject", each) for each in cast("list[Any]", value) if isinstance(each, dict)]
