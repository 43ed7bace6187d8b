"""What a soak left behind, compared with what was said and with what Graph took."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.whatsapp.leftovers import Leftovers
from bench.whatsapp.moments import MovedClock
from bench.whatsapp.scenario import Customer, Shop
from callmissed.aws.database import Database
from callmissed.clock import MINUTE
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.entries import EntryType
from callmissed.ledger.queries import balance
from callmissed.ledger.reconcile import reconcile
from callmissed.ledger.sweep import sweep
from functions.bots.conversations.messages import DELIVERY_UNKNOWN, MessageState, StoredMessage, StoredTurn
from functions.bots.conversations.records import TurnState

_HOLDS_END = 25 * MINUTE
_ENTRIES_ARE_FINAL = 90 * MINUTE


@dataclass(slots=True)
class Audit:
    """Counts of a soak; `wrong` says what is not as it must be.

    `unknown` messages of the bot have the error `delivery_unknown`; `arrived` of these were taken by Graph, which sent
    no status. `free` replies were given away, because the process died before it charged them.
    """

    said: int = 0
    turns: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])
    sent: int = 0
    unknown: int = 0
    arrived: int = 0
    charged: int = 0
    free: int = 0
    wrong: list[str] = field(default_factory=list[str])

    @property
    def unknown_share(self) -> float:
        """Share of the bot's messages of which nobody knows whether they went out."""
        return self.unknown / max(1, self.sent + self.unknown)

    def none(self, what: str, found: Iterable[object]) -> None:
        """Remember that something is wrong where anything was `found`."""
        listed = [str(each) for each in found]
        if listed:
            self.wrong.append(f"{len(listed)} {what}: {', '.join(listed[:3])}")


def check_messages(audit: Audit, left: Leftovers, people: Sequence[Customer]) -> None:
    """Each inbound message is stored once, in the one conversation of its end user, and belongs to one turn."""
    said = Counter(wamid for customer in people for wamid in customer.said)
    stored = Counter(message.wamid or "" for message in left.inbound)
    audit.said = said.total()
    audit.none("messages not stored", said - stored)
    audit.none("messages stored twice", stored - said)
    answered: defaultdict[str, list[StoredTurn]] = defaultdict(list)
    for turn in left.turns:
        for id in turn.answers:
            answered[id].append(turn)
    audit.none("messages in no turn", {message.id for message in left.inbound} - answered.keys())
    twice = ((id, [(turn.id, str(turn.state), turn.reason) for turn in turns]) for id, turns in answered.items())
    audit.none("messages in two turns", (each for each in twice if len(each[1]) > 1))
    writers = sum(bool(customer.said) for customer in people)
    audit.none("conversations too many or too few", range(abs(len(left.conversations) - writers)))


def check_turns(audit: Audit, left: Leftovers) -> None:
    """Every turn has ended, and every answer was sent once at most."""
    audit.turns = Counter(str(turn.state) for turn in left.turns)
    audit.reasons = Counter(turn.reason for turn in left.turns if turn.reason)
    audit.none("turns that never ended", (turn.id for turn in left.turns if turn.state is TurnState.THINKING))
    waiting = (each.id for each in left.conversations if each.pending or each.lease or each.claim or each.due)
    audit.none("conversations that wait for ever", waiting)
    outbound = {f"{message.conversation_id}:{message.id}": message for message in left.outbound}
    taken = Counter(entry.opaque for entry in left.taken)
    audit.sent = len(taken)
    audit.none("messages sent twice", (opaque for opaque, count in taken.items() if count > 1))
    audit.none("messages sent that are not stored", taken.keys() - outbound.keys())
    texts = Counter((outbound[key].turn_id, outbound[key].text) for key in taken if key and key in outbound)
    audit.none("texts sent twice by a turn", (turn for turn, count in texts.items() if count > 1))
    answered = {turn.id for turn in left.turns if turn.state is TurnState.ANSWERED}
    arrived = {outbound[key].turn_id for key in taken if key and key in outbound}
    audit.none("answered turns without an answer", answered - arrived)


def check_deliveries(audit: Audit, left: Leftovers) -> None:
    """Every message has the status that Meta gave it; without one, it is sent or nobody knows."""
    entries = {entry.opaque: entry for entry in left.taken}
    differing: list[str] = []
    for message in left.outbound:
        entry = entries.get(f"{message.conversation_id}:{message.id}")
        audit.unknown += is_unknown(message)
        if entry is None:
            settled = message.status is MessageState.FAILED
        elif entry.status == "accepted":
            audit.arrived += is_unknown(message)
            settled = message.status is MessageState.SENT or is_unknown(message)
        else:
            settled = str(message.status) == entry.status and not is_unknown(message)
        differing += [] if settled else [f"{message.id} is {message.status}, at Meta {entry and entry.status}"]
    audit.none("messages with another status than Meta's", differing)
    known = [message.wamid for message in left.outbound if message.wamid and not message.error]
    announced = Counter(left.announced)
    audit.none("messages announced twice", (wamid for wamid, count in announced.items() if count > 1))
    audit.none("sent messages that were not announced", set(known) - announced.keys())


def check_charges(audit: Audit, left: Leftovers) -> None:
    """Every reply that is stored was charged once, or given away; nothing else was charged."""
    charges = [entry for entry in left.entries if entry.type is EntryType.DEDUCTION]
    voids = {entry.entry_id for entry in left.entries if entry.type is EntryType.VOID}
    charged, replied = {entry.entry_id for entry in charges}, set(left.replied)
    audit.charged, audit.free = len(charges), len(replied & voids)
    audit.none("charges without a reply", charged - replied)
    audit.none("replies that were neither charged nor given away", replied - charged - voids)
    audit.none("replies both charged and given away", charged & voids)
    turns = {turn.id: turn for turn in left.turns}
    audit.none("charges of no turn", {entry.reference for entry in charges} - turns.keys())
    rounds = Counter(entry.reference for entry in charges)
    often = (id for id, count in rounds.items() if id in turns and count > len(turns[id].answers))
    audit.none("turns charged more often than messages came", often)
    thought = sum(turn.state is TurnState.ANSWERED for turn in left.turns)
    audit.none("answered turns that nobody paid for", range(max(0, thought - len(charges) - audit.free)))


async def check_wallets(audit: Audit, database: Database, clock: MovedClock, shops: Sequence[Shop]) -> None:
    """No credits are held for ever, none are missing, and wallets and entries agree."""
    clock.ahead += _HOLDS_END
    await sweep(database, clock(), KeyBudgets)
    clock.ahead += _ENTRIES_ARE_FINAL
    report = await reconcile(database, clock())
    audit.none("tenants whose wallet differs from their entries", report.drifts)
    audit.none("tenants that could not be compared", report.unread)
    for shop in shops:
        state = await balance(database, shop.tenant, clock())
        audit.none("tenants with credits held", [state.held] if state.held else [])
        balanced = state.available + state.spent_ever == state.granted
        audit.none("tenants whose credits do not add up", [] if balanced else [shop.tenant])


def is_unknown(message: StoredMessage) -> bool:
    """Whether nobody knows if the message went out."""
    return message.error is not None and message.error.title == DELIVERY_UNKNOWN
