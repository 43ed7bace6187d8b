"""What moto forgot at the end of the last run, put into its queues again.

The outbox's stream tells recent events again by itself, but not a delivery that has its row already: its next attempt
waited in a queue, for up to 15 minutes. In the cloud queues outlive everything; so this is the desk's business alone.
"""

from typing import Any

from callmissed.aws.attributes import to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.paging import items
from callmissed.aws.queues import Sending
from callmissed.platform.tables import DELIVERIES, physical_name
from functions.webhooks.messages import of_due
from functions.webhooks.records import DELIVERY, LANE, REPLAY, State


async def send_again(dynamodb: DynamoDB, stage: str, dispatch: Sending) -> int:
    """Order every unfinished item of the table `deliveries` that no timer will start; returns how many.

    Whoever gets such an order looks first, so that one too many does no harm. Raises Unavailable, QueueUnavailable.
    """
    orders = [of_due(item) async for item in items(dynamodb, "Scan", _waiting(stage))]
    await dispatch.send(orders)
    return len(orders)


def _waiting(stage: str) -> dict[str, Any]:
    """The scan for items that wait in a queue: those without a moment at which they are due."""
    return {
        "TableName": physical_name(stage, DELIVERIES),
        "FilterExpression": "attribute_not_exists(due) AND (#item = :lane OR begins_with(#item, :replay)"
        " OR (begins_with(#item, :delivery) AND #state = :pending))",
        "ExpressionAttributeNames": {"#item": "item", "#state": "state"},
        "ExpressionAttributeValues": to_item(
            {":lane": LANE, ":replay": REPLAY, ":delivery": DELIVERY, ":pending": str(State.PENDING)}
        ),
    }
