"""Records of accounts and numbers, of what Graph says of them. Any field may be missing there."""

from dataclasses import replace
from typing import Any, cast

from callmissed.clock import Micros
from callmissed.idempotency.operation import Operation
from functions.bots.channels.whatsapp.graph import JsonObject
from functions.bots.numbers.records import PhoneNumber, WhatsAppAccount

_USABLE = frozenset({"CONNECTED", "FLAGGED", "RESTRICTED", "RATE_LIMITED", "UNKNOWN"})
"""Statuses of numbers that Meta takes messages of. https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status"""
_MAX_TEXT = 255


def described_account(
    node: JsonObject, tenant: str, waba_id: str, before: WhatsAppAccount | None, now: Micros, operation: Operation
) -> WhatsAppAccount:
    """The account as `node` describes it; one that was there `before` keeps its id."""
    known = before or WhatsAppAccount(tenant, operation.new_uuid("account", now), waba_id, now)
    return replace(
        known,
        business_id=_text(_object(node.get("owner_business_info")).get("id")),
        name=_text(node.get("name")),
        currency=_text(node.get("currency")),
        review_status=_text(node.get("account_review_status")),
        account_status=_text(node.get("status")),
        is_active=True,
    )


def described_number(
    node: JsonObject,
    tenant: str,
    number_id: str,
    account: WhatsAppAccount,
    before: PhoneNumber | None,
    now: Micros,
    operation: Operation,
) -> PhoneNumber:
    """The number as `node` describes it, without its token; one that was there `before` keeps its id and its bot."""
    status = _text(node.get("status")) or "CONNECTED"
    usable = status in _USABLE
    known = before or PhoneNumber(
        tenant=tenant,
        id=operation.new_uuid("number", now),
        account_id=account.id,
        waba_id=account.waba_id,
        number_id=number_id,
        display_phone_number="",
        verified_name="",
        token="",
        created=now,
    )
    return replace(
        known,
        account_id=account.id,
        waba_id=account.waba_id,
        display_phone_number=_text(node.get("display_phone_number")) or "",
        verified_name=_text(node.get("verified_name")) or "",
        code_verification_status=_text(node.get("code_verification_status")),
        quality_rating=_text(node.get("quality_rating")),
        messaging_limit_tier=_text(node.get("messaging_limit_tier")),
        throughput_level=_text(_object(node.get("throughput")).get("level")),
        name_status=_text(node.get("name_status")),
        is_active=True,
        registration_status="connected" if usable else status.lower(),
        registration_error=None if usable else f"Meta shows the number as {status}. Register it in WhatsApp Manager.",
    )


def _text(value: Any) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value.isprintable() else None


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}
