"""Expected state of a tenant's wallets, derived only from which requests arrived and which entries are written.

The model knows nothing of expressions or retries. It is shown the wallets after every write that reached DynamoDB, and
holds that each is one legal step from the one before: a hold placed, a hold resolved as the call's entry says, a month
begun, wallets made, or credits and budget moved: as entries say, between shards, by another budget or plan.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import event

from callmissed.clock import month_of
from callmissed.ids import started_at
from callmissed.ledger.entries import EntryType
from callmissed.ledger.wallet import ACTIVE
from callmissed.plans.plans import limits
from tests.support.wallet_items import held, quota_name, quotas, spent

Item = dict[str, Any]
CHANGEABLE = {"sh", "al", "lc", "plan"}
"""What a move of money may change beside it."""


class WalletModel:
    """The wallets and entries of one tenant as they were last seen."""

    def __init__(self) -> None:
        self.wallets: dict[str, Item] = {}
        self.entries: dict[str, Item] = {}
        self.attempts: set[int] = set()
        self.moving: list[Item] = []
        """Entries that change the credits, which came with the wallets that are seen next."""
        self.budgets_changed = self.plans_changed = False

    def see_entries(self, entries: Mapping[str, Item]) -> None:
        """Entries are immutable, and one write adds one at most."""
        assert {id: entries.get(id) for id in self.entries} == self.entries
        new = [entry for id, entry in entries.items() if id not in self.entries]
        assert len(new) in (0, 1)
        self.moving = [entry for entry in new if _change(entry)]
        self.entries = dict(entries)

    def see_wallets(self, wallets: Mapping[str, Item]) -> None:
        """The wallets are one legal step from those before."""
        changed = [id for id, wallet in wallets.items() if wallet != self.wallets.get(id)]
        made = [id for id in changed if id not in self.wallets]
        assert [wallets[id] for id in made] == [_created(wallets[id]) for id in made]
        changes = [(self.wallets[id], wallets[id]) for id in changed if id in self.wallets]
        if len(changes) == 1 and (changes[0][0]["h"], changes[0][0]["mon"]) != (
            changes[0][1]["h"],
            changes[0][1]["mon"],
        ):
            ((before, after),) = changes
            assert after == self._step(before, after)
        elif changes:
            self._check_moves(changes, wallets)
        self.wallets, self.moving = dict(wallets), []

    def pending(self, entry: Item) -> bool:
        """True while the hold that `entry` resolves still stands."""
        return any(_settles(entry, wallet["h"].get(entry["entry"])) for wallet in self.wallets.values())

    def check(self) -> None:
        """The equations of docs/architecture.md, at every read."""
        for wallet in self.wallets.values():
            assert min(wallet["sp"], wallet["spt"]) >= 0
            assert wallet["av"] + held(wallet) + spent(wallet) == wallet["gr"] - wallet.get("rt", 0)
            assert wallet["bl"] + held(wallet) + wallet["sp"] == wallet["bud"]
            assert self.budgets_changed or wallet["bl"] >= 0
            assert self.plans_changed or all(0 <= wallet[q] <= most for q, most in quotas(wallet["plan"]).items())
        assert self.sum("rt") or min(wallet["av"] for wallet in self.wallets.values()) >= 0
        deductions = [entry for entry in self.entries.values() if entry["type"] == EntryType.DEDUCTION]
        assert self.spent() == sum(entry["amount"] for entry in deductions if not self.pending(entry))
        moves = [(entry, _change(entry)) for entry in self.entries.values() if _change(entry)]
        assert self.sum("gr") == sum(change for _, change in moves if change > 0)
        assert self.sum("rt") == sum(-change for _, change in moves if change < 0)
        self._check_shown()

    def check_operations(self) -> None:
        """Each operation id moved credits once, where entries refer to no order."""
        references = [entry["reference"] for entry in self.entries.values() if _change(entry)]
        assert len({*references}) == len(references)

    def _check_shown(self) -> None:
        """What a tenant is shown is never below zero, and adds up."""
        left = self.sum("av")
        available, debt = max(0, left), max(0, -left)
        in_flight = sum(map(held, self.wallets.values()))
        assert available + in_flight + self.spent() == self.sum("gr") - self.sum("rt") + debt

    def sum(self, name: str) -> int:
        """Sum of a number over all wallets."""
        return sum(wallet.get(name, 0) for wallet in self.wallets.values())

    def check_quiet(self) -> None:
        """Nothing is in flight: no hold leaks, and the accounts of the double entry sum to what the wallets have."""
        assert all(wallet["h"] == {} for wallet in self.wallets.values())
        accounts = balances(self.entries.values())
        assert sum(accounts.values()) == 0
        assert accounts.get("revenue", 0) == self.spent()
        assert accounts.get("tenant:available", 0) + accounts.get("tenant:held", 0) == self.sum("av")

    def spent(self) -> int:
        """Micro-credits spent by the tenant, all time."""
        return sum(map(spent, self.wallets.values()))

    def refusal(self, own: str, amount: int, month: int) -> str | None:
        """What a hold of `amount` in the wallet `own`, by a clock in `month`, must be refused with."""
        current = {
            id: _begun(wallet, month) if wallet["mon"] < month else wallet for id, wallet in self.wallets.items()
        }
        first, holding = next(iter(current.values())), current.get(own)
        if first["st"] != ACTIVE:
            return "account_inactive"
        if holding and holding[quota_name("llm")] < 1:
            return "quota_exceeded"
        if holding and min(holding["av"], holding["bl"]) >= amount:
            return None
        if sum(wallet["av"] for wallet in current.values()) < amount:
            return "insufficient_credits"
        return "budget_exceeded" if sum(wallet["bl"] for wallet in current.values()) < amount else None

    def _step(self, before: Item, after: Item) -> Item:
        came, went = after["h"].keys() - before["h"].keys(), before["h"].keys() - after["h"].keys()
        if came:
            (id,) = came
            return self._placed(before, id, after["h"][id])
        if went:
            (id,) = went
            return self._resolved(before, id)
        event(f"turned a month with {'some' if before['h'] else 'no'} holds")
        return _turned(before, after["mon"], sum(map(_change, self.moving)))

    def _check_moves(self, changes: list[tuple[Item, Item]], wallets: Mapping[str, Item]) -> None:
        """Credits change as entries say, each wallet's with what it was granted; budgets with what is left of them."""
        credits, budgets = 0, 0
        for before, after in changes:
            credits += (credit := after["av"] - before["av"])
            budgets += (budget := after["bud"] - before["bud"])
            returned = after.get("rt", 0) - before.get("rt", 0)
            moved = {"av": credit, "gr": credit + returned, "bl": budget, "bud": budget}
            kept = {name: before[name] + by for name, by in moved.items()}
            free = CHANGEABLE | {"rt"} | quotas(after["plan"]).keys()
            assert _without(after, free) == _without(before | kept, free)
            assert after.get("sh", 1) >= before.get("sh", 1)
        self.budgets_changed |= budgets != 0
        self.plans_changed |= any(before["plan"] != after["plan"] for before, after in changes)
        changing = [_change(entry) for entry in self.moving]
        assert credits == sum(changing)
        assert budgets == 0 or not changing
        after_all = {**self.wallets, **wallets}
        assert sum(wallet.get("rt", 0) for wallet in after_all.values()) - self.sum("rt") == sum(
            -change for change in changing if change < 0
        )
        assert _calls(after_all) == _calls(self.wallets), "this month's calls count on"
        event("moved money: " + (", ".join(entry["type"] for entry in self.moving) or "within the tenant"))

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


def _turned(before: Item, month: int, granted: int) -> Item:
    assert month > before["mon"]
    assert not granted or before["plan"] == "free"
    money = {"sp": 0, "spt": before["spt"] + before["sp"], "bl": before["bl"] + before["sp"]}
    grant = {"av": before["av"] + granted, "gr": before["gr"] + granted}
    return before | {"mon": month} | money | grant | quotas(before["plan"])


def _begun(wallet: Item, month: int) -> Item:
    return _turned(wallet, month, limits("free").monthly_grant if wallet["plan"] == "free" else 0)


def _change(entry: Item) -> int:
    """What the entry adds to the tenant's credits outside of calls, or takes from them."""
    if "tenant:held" in (entry["debit"], entry["credit"]):
        return 0
    return entry["amount"] if entry["credit"] == "tenant:available" else -entry["amount"]


def _calls(wallets: Mapping[str, Item]) -> dict[tuple[int, str], int]:
    """Calls by month and quota, over all wallets."""
    calls: dict[tuple[int, str], int] = {}
    for wallet in wallets.values():
        for name, most in quotas(wallet["plan"]).items():
            calls[wallet["mon"], name] = calls.get((wallet["mon"], name), 0) + most - wallet[name]
    return {key: count for key, count in calls.items() if count}


def _without(item: Item, names: set[str]) -> Item:
    return {name: value for name, value in item.items() if name not in names}
