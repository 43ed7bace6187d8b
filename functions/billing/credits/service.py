"""A tenant's credits, as its people read them."""

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.ledger.history.transactions import TransactionFilter, TransactionPage, transactions
from callmissed.ledger.queries import Balance, balance
from callmissed.tenants.tenants import Tenant, get_tenant


class Credits:
    """Reads credits. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenant(self, tenant: str) -> Tenant:
        """The tenant's record. Raises ApiError 404."""
        return await get_tenant(self._database, tenant, consistent=True)

    async def balance(self, tenant: str, now: Micros) -> Balance:
        """The tenant's balance at `now`. Raises ApiError 404."""
        return await balance(self._database, tenant, now)

    async def transactions(
        self, tenant: str, wanted: TransactionFilter, now: Micros, *, limit: int, cursor: str | None
    ) -> TransactionPage:
        """A page of the tenant's transactions, and sums over the filter. Raises ApiError 409, 503."""
        pages = {"below": cursor} if cursor else {}
        return await transactions(self._database, tenant, wanted, now, limit=limit, **pages)
