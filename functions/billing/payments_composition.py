"""What the functions that take payments share: the gateway, orders and their settlement."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.secrets import payment_environment
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from functions.billing.composition import BillingComposition
from functions.billing.payments.cashfree import Cashfree, CashfreeAccount
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Payments
from functions.billing.payments.settlement import Settlement
from functions.billing.payments.worker import PaymentWorker


@dataclass(frozen=True)
class PaymentsComposition:
    """The dependencies of one process. Each is made at its first use; none opens a connection before."""

    base: BillingComposition
    clock: Clock = system_clock

    @cached_property
    def orders(self) -> Orders:
        """The purchase orders."""
        return Orders(self.base.database)

    @cached_property
    def gateway(self) -> Cashfree:
        """The payment gateway, whose account is read anew every few minutes."""
        settings = self.base.settings
        client = SafeClient(allow_loopback=settings.allow_loopback)
        return Cashfree(client, lambda: CashfreeAccount.of(payment_environment(settings), settings.cashfree_url))

    @cached_property
    def settlement(self) -> Settlement:
        """Settles orders."""
        return Settlement(self.orders, self.clock)

    @cached_property
    def worker(self) -> PaymentWorker:
        """Processes the gateway's callbacks."""
        return PaymentWorker(self.base.database, self.orders, self.settlement)

    @cached_property
    def payments(self) -> Payments:
        """Purchases."""
        return Payments(self.orders, self.gateway, self.settlement, self.clock, self.base.settings.console_url)
