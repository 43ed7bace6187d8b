"""Reads and conditional writes of WhatsApp accounts and phone numbers."""

from collections.abc import Sequence
from dataclasses import replace

from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, put_operation, update_operation
from callmissed.platform.tables import BOTS
from functions.bots.numbers.records import (
    ACCOUNT,
    DISCONNECTED,
    NUMBER,
    PhoneNumber,
    WhatsAppAccount,
    account_of,
    number_key,
    number_of,
    to_number_item,
)

_REFUSED = "ConditionalCheckFailed"


class NumberRepository:
    """The phone numbers of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, number_id: str) -> PhoneNumber | None:
        """The number that Meta calls `number_id`, strongly consistent."""
        item = await self._database.get(BOTS, number_key(tenant, number_id))
        return number_of(item) if item else None

    async def of_tenant(self, tenant: str) -> list[PhoneNumber]:
        """The tenant's numbers, oldest first, strongly consistent."""
        query = self._database.query(BOTS, tenant, sort=begins_with(NUMBER), consistent=True)
        found = [number_of(item) async for item in query]
        return sorted(found, key=lambda number: (number.created, number.id))

    async def find(self, tenant: str, id: str) -> PhoneNumber | None:
        """The number of our `id`, strongly consistent. It reads all of the tenant's numbers, which are few."""
        return next((number for number in await self.of_tenant(tenant) if number.id == id), None)

    async def of_bot(self, tenant: str, bot_id: str) -> list[PhoneNumber]:
        """The numbers that the bot answers."""
        return [number for number in await self.of_tenant(tenant) if number.bot_id == bot_id]

    async def unlink(self, number: PhoneNumber, bot_id: str) -> bool:
        """Unlink the number from the bot; False when it is linked to it no longer."""
        return await self._database.write_if(unlink_operation(number, bot_id))

    async def disconnect(self, number: PhoneNumber, code: int | None) -> None:
        """Show the number, whose token Meta refused with `code`, as disconnected, unless it changed meanwhile."""
        if not number.is_connected:
            return
        error = "Meta refused the access token" + ("." if code is None else f" ({code}).")
        await self._database.update_if(
            BOTS,
            number.key,
            set={"registration_status": DISCONNECTED, "registration_error": error},
            add={"revision": 1},
            expected={"token": number.token, "registration_status": number.registration_status},
        )

    async def accounts(self, tenant: str) -> list[WhatsAppAccount]:
        """The tenant's accounts, oldest first, strongly consistent."""
        query = self._database.query(BOTS, tenant, sort=begins_with(ACCOUNT), consistent=True)
        found = [account_of(item) async for item in query]
        return sorted(found, key=lambda account: (account.created, account.id))

    async def execute(self, operations: Sequence[WriteOperation]) -> bool:
        """Execute all `operations` or none; False when a condition of one does not hold."""
        try:
            await self._database.transact(operations)
        except TransactionCanceled as canceled:
            if _REFUSED in canceled.reasons:
                return False
            raise
        return True


def unlink_operation(number: PhoneNumber, bot_id: str) -> WriteOperation:
    """Unlink the number from the bot, which it must be linked to."""
    return update_operation(BOTS, number.key, remove=("bot_id",), add={"revision": 1}, expected={"bot_id": bot_id})


def save_operation(number: PhoneNumber, before: PhoneNumber | None) -> WriteOperation:
    """Write the number, if it is still as it was `before`; None means that there was none."""
    if before is None:
        return put_new_operation(BOTS, to_number_item(number))
    after = replace(number, revision=before.revision + 1)
    return put_operation(BOTS, to_number_item(after), expected={"revision": before.revision})


def save_account_operation(account: WhatsAppAccount, before: WhatsAppAccount | None) -> WriteOperation:
    """Write the account, which is new or was `before`."""
    if before is None:
        return put_new_operation(BOTS, to_number_item(account))
    return put_operation(BOTS, to_number_item(account), expected={"id": before.id})
