"""Reads and conditional writes of WhatsApp accounts and phone numbers."""

from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.platform.tables import BOTS
from functions.bots.numbers.records import NUMBER, PhoneNumber, number_key, number_of


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


def unlink_operation(number: PhoneNumber, bot_id: str) -> WriteOperation:
    """Unlink the number from the bot, which it must be linked to."""
    return update_operation(BOTS, number.key, remove=("bot_id",), add={"revision": 1}, expected={"bot_id": bot_id})
