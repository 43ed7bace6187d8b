"""Wallets as they are stored: letters and all, for tests of what lies in the table."""

from callmissed.aws.attributes import Item
from callmissed.ledger import wallet as wallets
from callmissed.ledger.records import to_wallet_item, wallet_of


def new_wallet(wallet_id: str, plan: str, month: int) -> Item:
    """A wallet with nothing in it."""
    return to_wallet_item(wallets.new_wallet(wallet_id, plan, month))


def quota_name(service: str) -> str:
    """Name of the attribute that counts the calls left of `service`."""
    return f"q_{service}"


def quotas(plan: str) -> dict[str, int]:
    """Fresh month counters of `plan`."""
    return {quota_name(service): left for service, left in wallets.fresh_quotas(plan).items()}


def held(wallet: Item) -> int:
    """Sum of the holds in micro-credits."""
    return wallet_of(wallet).held


def spent(wallet: Item) -> int:
    """Micro-credits spent, all time."""
    return wallet["sp"] + wallet["spt"]
