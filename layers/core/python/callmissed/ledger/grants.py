"""Credits that come in: one transaction, remembered by an operation id, so that a repeated grant grants once."""

import secrets
from typing import Any

from callmissed.aws.attributes import to_item
from callmissed.aws.dynamodb import DynamoDB, TransactionCanceled
from callmissed.errors import ApiError
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, Entry, EntryType, to_record
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.platform.tables import LEDGER, TENANTS, WALLETS, physical_name

_SOURCES = {EntryType.PURCHASE: Account.PAYMENTS}


async def grant(
    dynamodb: DynamoDB,
    stage: str,
    *,
    tenant: str,
    amount: int,
    operation_id: str,
    now: int,
    kind: EntryType = EntryType.ADMIN,
    description: str = "",
) -> bool:
    """Add `amount` micro-credits to the wallet. False when `operation_id` was already carried out for this tenant.

    Raises ApiError 404 for an unknown tenant, ValueError for an amount below 1 or of a trillion credits, which is a
    slip and would leave the digits that DynamoDB stores, Unavailable when DynamoDB fails.
    """
    if not 1 <= amount < NO_BUDGET:
        raise ValueError("a grant adds at least one micro-credit, and less than a trillion credits")
    entry = Entry(
        tenant,
        new_call_id(now, 1),
        kind,
        amount,
        _SOURCES.get(kind, Account.PROMOTION),
        Account.AVAILABLE,
        now,
        description=description,
        reference=operation_id,
    )
    token = secrets.token_hex(16)  # so that asking again after a lost answer is not taken for another grant
    try:
        await dynamodb.call("TransactWriteItems", {"TransactItems": _parts(stage, entry), "ClientRequestToken": token})
    except TransactionCanceled as cancelled:
        if cancelled.reasons[0] == "ConditionalCheckFailed":
            return False
        raise ApiError(404, "not_found", "No such tenant.") from cancelled
    return True


def _parts(stage: str, entry: Entry) -> list[dict[str, Any]]:
    operation = {"tenant": entry.tenant, "item": f"PAYMENT#{entry.reference}", "entry": entry.entry}
    return [
        {
            "Put": {
                "TableName": physical_name(stage, TENANTS),
                "Item": to_item(operation),
                "ConditionExpression": "attribute_not_exists(tenant)",
            }
        },
        {"Put": {"TableName": physical_name(stage, LEDGER), "Item": to_item(to_record(entry))}},
        {
            "Update": {
                "TableName": physical_name(stage, WALLETS),
                "Key": to_item({"id": entry.tenant}),
                "UpdateExpression": "SET av = av + :a, gr = gr + :a",
                "ConditionExpression": "attribute_exists(id)",
                "ExpressionAttributeValues": to_item({":a": entry.amount}),
            }
        },
    ]
