"""Expected state of a tenant's wallets, derived only from which requests arrived and which entries are written.

The model knows nothing of expressions or retries. It is shown the wallets after every write that reached DynamoDB, and
holds that each is one legal step from the one before: a hold placed, a hold resolved as the call's entry says, a month
begun, credits granted, or credits shifted between shards.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import event

from callmissed.clock import month_of
from callmissed.ids import started_at
from callmissed.ledger.entries import EntryType
from callmissed.ledger.wallet import ACTIVE
from tests.support.wallet_items import held, quota_name, quotas, spent

Item = dict[str, Any]
GRANTS = {EntryType.ADMIN, EntryType.PURCHASE, EntryType.SIGNUP_BONUS, EntryType.PLAN_GRANT}


class WalletModel:
    """The wallets and entries of one tenant as they were last seen."""

    def __init__(self) -> None:
        self.wallets: dict[str, Item] = {}
        self.entries: dict[str, Item] = {}
        self.attempts: set[int] = set()

    def see_entries(self, entries: Mapping[str, Item]) -> None:
        """Entries are immutable, and one write adds one at most."""
        assert {id: entries.get(id) for id in self.entries} == self.entries
        assert len(entries) - len(self.entries) in (0, 1)
        self.entries = dict(entries)

    def see_wallets(self, wallets: Mapping[str, Item]) -> None:
        """The wallets are one legal step from those before."""
        changed = [id for id, wallet in wallets.items() if wallet != self.wallets.get(id)]
        if len(changed) == 1:
            (id,) = changed
            assert wallets[id] == self._step(self.wallets.get(id), wallets[id])
        elif changed:
            _check_shift([(self.wallets[id], wallets[id]) for id in changed])
        self.wallets = dict(wallets)

    def pending(self, entry: Item) -> bool:
        """True while the hold that `entry` resolves still stands."""
        return any(_settles(entry, wallet["h"].get(entry["entry"])) for wallet in self.wallets.values())

    def check(self) -> None:
        """The equations of docs/architecture.md, at every read."""
        for wallet in self.wallets.values():
            assert min(wallet["av"], wallet["bl"], wallet["sp"], wallet["spt"]) >= 0
            assert wallet["av"] + held(wallet) + spent(wallet) == wallet["gr"]
            assert wallet["bl"] + held(wallet) + wallet["sp"] == wallet["bud"]
            assert all(0 <= wallet[name] <= most for name, most in quotas(wallet["plan"]).items())
        deductions = [entry for entry in self.entries.values() if entry["type"] == EntryType.DEDUCTION]
        assert self.spent() == sum(entry["amount"] for entry in deductions if not self.pending(entry))
        grants = [entry for entry in self.entries.values() if entry["type"] in GRANTS]
        assert sum(wallet["gr"] for wallet in self.wallets.values()) == sum(entry["amount"] for entry in grants)
        assert len({entry["reference"] for entry in grants}) == len(grants)

    def check_quiet(self) -> None:
        """Nothing is in flight: no hold leaks, and the accounts of the double entry sum to what the wallets have."""
        assert all(wallet["h"] == {} for wallet in self.wallets.values())
        accounts = balances(self.entries.values())
        assert sum(accounts.values()) == 0
        assert accounts.get("revenue", 0) == self.spent()
        available = sum(wallet["av"] for wallet in self.wallets.values())
        assert accounts.get("tenant:available", 0) + accounts.get("tenant:held", 0) == available

    def spent(self) -> int:
        """Micro-credits spent by the tenant, all time."""
        return sum(map(spent, self.wallets.values()))

    def _step(self, before: Item | None, after: Item) -> Item:
        if before is None:
            return _created(after)
        came, went = after["h"].keys() - before["h"].keys(), before["h"].keys() - after["h"].keys()
        if came:
            (id,) = came
            return self._placed(before, id, after["h"][id])
        if went:
            (id,) = went
            return self._resolved(before, id)
        if after["mon"] != before["mon"]:
            return _turned(before, after["mon"])
        granted = after["gr"] - before["gr"]
        assert granted > 0
        return before | {"av": before["av"] + granted, "gr": before["gr"] + granted}

    def _placed(self, before: Item, id: str, token: list[Any]) -> Item:
        amount, attempt, service = token
        quota = quota_name(service)
        assert before["st"] == ACTIVE
        assert min(before["av"], before["bl"]) >= amount
        assert before[quota] >= 1
        assert attempt not in self.attempts, "an attempt lands once"
        self.attempts.add(attempt)
        moved = {"av": before["av"] - amount, "bl": before["bl"] - amount, quota: before[quota] - 1}
        return before | moved | {"h": before["h"] | {id: token}}

    def _resolved(self, before: Item, id: str) -> Item:
        amount, _, service = token = before["h"][id]
        entry = self.entries.get(id, {})
        cost = entry["amount"] if _settles(entry, token) else 0
        event(f"resolved a hold whose entry is {_kind(entry, token)}")
        moved = {
            "av": before["av"] + amount - cost,
            "bl": before["bl"] + amount - cost,
            "sp": before["sp"] + cost,
            "h": {other: standing for other, standing in before["h"].items() if other != id},
        }
        if not _settles(entry, token) and before["mon"] == month_of(started_at(id)):
            moved[quota_name(service)] = before[quota_name(service)] + 1
        return before | moved


def balances(entries: Any) -> dict[str, int]:
    """Balance of each account over `entries`."""
    accounts: dict[str, int] = {}
    for entry in entries:
        accounts[entry["debit"]] = accounts.get(entry["debit"], 0) - entry["amount"]
        accounts[entry["credit"]] = accounts.get(entry["credit"], 0) + entry["amount"]
    return accounts


def _settles(entry: Item, token: list[Any] | None) -> bool:
    return token is not None and entry.get("type") == EntryType.DEDUCTION and entry["held"] == token[:2]


def _kind(entry: Item, token: list[Any]) -> str:
    if entry.get("type") == EntryType.DEDUCTION and not _settles(entry, token):
        return "of another attempt"
    return entry.get("type", "missing")


def _created(after: Item) -> Item:
    money = dict.fromkeys(("av", "gr", "sp", "spt"), 0) | {"h": {}, "bl": after["bud"]}
    return after | money | quotas(after["plan"])


def _turned(before: Item, month: int) -> Item:
    assert month > before["mon"]
    event(f"turned a month with {'some' if before['h'] else 'no'} holds")
    money = {"sp": 0, "spt": before["spt"] + before["sp"], "bl": before["bl"] + before["sp"]}
    return before | {"mon": month} | money | quotas(before["plan"])


def _check_shift(changes: list[tuple[Item, Item]]) -> None:
    event("shifted credits between shards")
    for name in ("gr", "bud"):
        assert sum(after[name] - before[name] for before, after in changes) == 0
    for before, after in changes:
        credits, budget = after["gr"] - before["gr"], after["bud"] - before["bud"]
        moved = {"av": credits, "gr": credits, "bl": budget, "bud": budget}
        assert after == before | {name: before[name] + by for name, by in moved.items()}
