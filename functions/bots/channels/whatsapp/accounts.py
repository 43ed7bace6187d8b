"""WhatsApp Business accounts and phone numbers at Graph: reading them, subscribing to them, and codes of sign-ups.

https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/onboarding-customers-as-a-tech-provider
"""

from dataclasses import dataclass, field
from typing import Any, cast

from functions.bots.channels.whatsapp.errors import FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphClient, GraphIndeterminate, GraphRefused, JsonObject

_NUMBER_FIELDS = "id,display_phone_number,verified_name,code_verification_status,quality_rating"
_MORE_NUMBER_FIELDS = f"{_NUMBER_FIELDS},messaging_limit_tier,throughput,status,name_status"
_ACCOUNT_FIELDS = "id,name,currency"
_MORE_ACCOUNT_FIELDS = f"{_ACCOUNT_FIELDS},account_review_status,owner_business_info,status"
_PAGES, _PAGE = 20, 100


@dataclass(frozen=True, slots=True)
class MetaApp:
    """The platform's app at Meta, through which businesses sign up."""

    app_id: str
    secret: str = field(repr=False)


async def read_number(graph: GraphClient, number_id: str, token: str) -> JsonObject:
    """The number as Graph describes it to the token. Raises GraphError."""
    return await _read(graph, number_id, token, _MORE_NUMBER_FIELDS, _NUMBER_FIELDS)


async def read_account(graph: GraphClient, waba_id: str, token: str) -> JsonObject:
    """The account as Graph describes it to the token. Raises GraphError."""
    return await _read(graph, waba_id, token, _MORE_ACCOUNT_FIELDS, _ACCOUNT_FIELDS)


async def has_number(graph: GraphClient, waba_id: str, number_id: str, token: str) -> bool:
    """Whether the number belongs to the account. Raises GraphError."""
    query = {"fields": "id", "limit": str(_PAGE)}
    for _ in range(_PAGES):
        page = await graph.get(f"{waba_id}/phone_numbers", token, query)
        if any(_object(each).get("id") == number_id for each in _list(page.get("data"))):
            return True
        paging = _object(page.get("paging"))
        after = _object(paging.get("cursors")).get("after")
        if not paging.get("next") or not isinstance(after, str):
            return False
        query["after"] = after
    return False


async def subscribe(graph: GraphClient, waba_id: str, token: str) -> None:
    """Let the token's app get the account's callbacks. It may be repeated. Raises GraphError."""
    await graph.post(f"{waba_id}/subscribed_apps", token, {})


async def exchange_code(graph: GraphClient, app: MetaApp, code: str) -> str:
    """The business's access token for a `code`, which is good for one exchange. Raises GraphError."""
    query = {"client_id": app.app_id, "client_secret": app.secret, "code": code}
    token = (await graph.get("oauth/access_token", None, query)).get("access_token")
    if not isinstance(token, str) or not token:
        raise GraphIndeterminate("Graph's answer has no access token")
    return token


async def accounts_of_token(graph: GraphClient, app: MetaApp, token: str) -> list[str]:
    """Ids of the accounts that the token may manage. Raises GraphError."""
    found = await graph.get("debug_token", f"{app.app_id}|{app.secret}", {"input_token": token})
    scopes = _list(_object(found.get("data")).get("granular_scopes"))
    managed = [_object(each) for each in scopes if _object(each).get("scope") == "whatsapp_business_management"]
    return [each for scope in managed for each in _list(scope.get("target_ids")) if isinstance(each, str)]


async def _read(graph: GraphClient, node: str, token: str, fields: str, fewer: str) -> JsonObject:
    """The node's fields; `fewer` where Meta no longer has one of them, which is an error of the whole request."""
    try:
        return await graph.get(node, token, {"fields": fields})
    except GraphRefused as refused:
        if refused.fault.meaning is not FaultMeaning.INVALID:
            raise
    return await graph.get(node, token, {"fields": fewer})


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
