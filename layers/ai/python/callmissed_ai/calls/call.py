"""One billed call in progress, and its payer."""

from dataclasses import dataclass

from callmissed.clock import Clock, Micros
from callmissed.ids import new_call_id
from callmissed.keys.admission import Admitted
from callmissed.keys.policy import ANY
from callmissed.ledger.entries import LedgerEntry
from callmissed.ledger.holds import Hold, WalletState
from callmissed.ledger.wallet import KeyCharge
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.stored_call import StoredCall
from callmissed_ai.services.responses_store.records import Owner

HOLD_MINUTES = 20
"""Lifetime of a call's hold: longer than the longest call, which is API Gateway's 15 minutes."""


@dataclass(frozen=True, slots=True)
class AdmittedPayer:
    """The payer of a call, admitted at `now`.

    `key` is the API key with the charge to its budget, None when a tenant pays without a key. A sandboxed call is
    answered by the sandbox and costs nothing. `models` are the ids that the payer may use,
    `search_providers` those of searches, `*` for all.
    """

    tenant: str
    plan: str
    now: Micros
    key_id: str = ""
    models: frozenset[str] = ANY
    search_providers: frozenset[str] = ANY
    is_sandboxed: bool = False
    key: Admitted | None = None

    @property
    def owner(self) -> Owner:
        """Whose stored responses the call may continue, and whose its own is."""
        return Owner(self.tenant, self.is_sandboxed)


@dataclass(slots=True)
class Call:
    """A billed call: its id, payer, hold, and durations in microseconds.

    `payer` is None until the call is admitted. `charge` is what the budget of the payer's key was charged, set when the
    hold that names it is placed; None without a budget. `hold` is None for a sandboxed call, which costs nothing;
    `idempotent` for a call without an Idempotency-Key, `stored` for one of a service that stores no responses. Once
    `settling` is set the call can't be cancelled: its entry may be written even after a lost answer, and a settlement
    whose reply can't be stored gives the hold back itself. `entry` is the ledger entry of a settled call. `provider`
    and `model` began the reply, "" until it has begun; `engine` is what the sandbox says that it used. `reference` says
    what the call is for, such as the id of a bot's turn; the ledger entry has it too.
    """

    id: str
    started: Micros
    reference: str = ""
    idempotent: IdempotentCall | None = None
    stored: StoredCall | None = None
    payer: AdmittedPayer | None = None
    charge: KeyCharge | None = None
    hold: Hold | None = None
    wallet: WalletState | None = None
    first_byte: Micros | None = None
    db_wait: int = 0
    upstream_wait: int = 0
    settling: bool = False
    entry: LedgerEntry | None = None
    provider: str = ""
    model: str = ""
    engine: str = ""

    @property
    def admitted(self) -> AdmittedPayer:
        """The payer of a call that is admitted."""
        if self.payer is None:
            raise AssertionError("the call is not admitted yet")
        return self.payer


def new_call(clock: Clock, reference: str = "") -> Call:
    """A new call that begins now."""
    started = clock()
    return Call(new_call_id(started, HOLD_MINUTES), started, reference)
