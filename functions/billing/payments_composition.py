"""What the functions that take payments share: the gateway, orders and their settlement."""

from dataclasses import dataclass
from functools import cached_property

from callmissed.aws.secrets import payment_environment
from callmissed.clock import Clock, system_clock
from callmissed.http.client import SafeClient
from functions.billing.composition import BillingComposition
from functions.billing.payments.cashfree import Cashfree, CashfreeAccount
from functions.billing.payments.records import Order
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Payments
from functions.billing.payments.settlement import OrderSettlement
from functions.billing.payments.worker import PaymentWorker
from functions.billing.refunds.callbacks import RefundCallbacks
from functions.billing.refunds.disputes import Disputes
from functions.billing.refunds.operators import OperatorRefunds
from functions.billing.refunds.repository import StoredRefunds
from functions.billing.refunds.service import Refunds
from functions.billing.refunds.sweep import RefundSweep
from functions.billing.subscriptions.repository import SubscriptionRecords
from functions.billing.subscriptions.service import PlanSubscriptions


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
    def http(self) -> SafeClient:
        """Sends requests to the payment gateway."""
        settings = self.base.settings
        return SafeClient(allow_loopback=settings.allow_loopback)

    @cached_property
    def gateway(self) -> Cashfree:
        """The payment gateway, whose account is read anew every few minutes."""
        settings = self.base.settings
        secrets = payment_environment(settings)
        return Cashfree(self.http, lambda: CashfreeAccount.of(secrets.values(), settings.cashfree_url))

    @cached_property
    def subscriptions(self) -> PlanSubscriptions:
        """The subscriptions, with the plans that orders buy."""
        return PlanSubscriptions(SubscriptionRecords(self.base.database), self.clock)

    @cached_property
    def settlement(self) -> OrderSettlement:
        """Settles orders."""
        return OrderSettlement(self.orders, self.subscriptions, self.clock)

    @cached_property
    def worker(self) -> PaymentWorker:
        """Processes the gateway's callbacks."""
        return PaymentWorker(self.base.database, self.orders, self.settlement, self._refund_callbacks.processes)

    @cached_property
    def payments(self) -> Payments:
        """Purchases."""
        return Payments(
            self.orders,
            self.gateway,
            self.settlement,
            self.subscriptions,
            self.clock,
            self.base.settings.console_url,
        )

    @cached_property
    def refunds(self) -> Refunds:
        """Money that goes back."""
        return Refunds(self.orders, self._stored_refunds, self.gateway, self.clock, end_plan=self._end_plan)

    @cached_property
    def operator_refunds(self) -> OperatorRefunds:
        """Refunds by operators."""
        return OperatorRefunds(self.orders, self.refunds, self.gateway, self.clock)

    @cached_property
    def refund_sweep(self) -> RefundSweep:
        """Follows refunds."""
        return RefundSweep(self._stored_refunds, self.refunds, self.clock)

    @cached_property
    def _stored_refunds(self) -> StoredRefunds:
        return StoredRefunds(self.base.database)

    @cached_property
    def _refund_callbacks(self) -> RefundCallbacks:
        disputes = Disputes(self.base.database)
        return RefundCallbacks(self.orders, self.payments, self._stored_refunds, self.refunds, disputes, self.clock)

    async def _end_plan(self, order: Order) -> None:
        await self.subscriptions.end_plan(order.tenant, order.order_id)
