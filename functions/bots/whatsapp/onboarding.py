"""Onboarding: a tenant proves a phone number with Meta, and owns it from then on.

    1 Meta shows the number and the account to the token, and the number among the account's
    2 the number is not another tenant's, or only in name: that tenant never proved it, or its token works no longer
    3 the token's app gets the account's callbacks
    4 one transaction: the owner of the number's callbacks, the account, the number with its token sealed, the audit log

To prove a number again renews its token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from callmissed.audit.events import Actor, ActorKind, AuditEvent, audit_operation
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.integrations.credentials import WhatsAppCredentials, whatsapp_account, whatsapp_business_account
from callmissed.integrations.ownership import business_account_operation, prove_operation, verify_token_operation
from callmissed.integrations.repository import Integrations, ProviderAccount
from callmissed.sealing import Sealer, UnsealError
from functions.bots.bots.repository import touch_operation
from functions.bots.channels.whatsapp.accounts import has_number, read_account, read_number, subscribe
from functions.bots.channels.whatsapp.errors import FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphClient, GraphError, GraphRefused, JsonObject
from functions.bots.numbers.records import DISCONNECTED, PhoneNumber, WhatsAppAccount
from functions.bots.numbers.repository import NumberRepository, save_account_operation, save_operation
from functions.bots.whatsapp.descriptions import described_account, described_number
from functions.bots.whatsapp.graph_errors import onboarding_error, refused
from functions.bots.whatsapp.number_audit import number_event
from functions.bots.whatsapp.number_service import BotOfNumber

_TRIES = 3
_LOST = (FaultMeaning.TOKEN, FaultMeaning.PERMISSION, FaultMeaning.NUMBER)
_UNSIGNED = (
    "Callbacks can't be verified without the app's secret, so no message gets in: onboard the number again with "
    "app_secret, or save it in the settings first."
)


@dataclass(frozen=True, slots=True)
class ProvenNumber:
    """What a tenant shows of a number. `app_secret` is None where the tenant's settings have it."""

    waba_id: str
    number_id: str
    token: str
    app_secret: str | None = None
    verify_token: str | None = None
    bot_id: str | None = None


@dataclass(frozen=True, slots=True)
class Onboarded:
    """The account and the number, and what is still missing."""

    account: WhatsAppAccount
    number: PhoneNumber
    missing: str | None


@dataclass(frozen=True, slots=True)
class _Shown:
    """The number and the account as Meta shows them."""

    number: JsonObject
    account: JsonObject


class NumberOnboarding:
    """Proves numbers of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(
        self,
        graph: GraphClient,
        numbers: NumberRepository,
        integrations: Integrations,
        bots: BotOfNumber,
        sealer: Sealer,
    ) -> None:
        self._graph = graph
        self._numbers = numbers
        self._integrations = integrations
        self._bots = bots
        self._sealer = sealer

    async def connect(
        self, tenant: str, proven: ProvenNumber, actor: Actor, now: Micros, operation: Operation
    ) -> Onboarded:
        """The number, which is the tenant's. Raises ApiError 404 for the bot, 409, 422 and 502."""
        if proven.bot_id:
            await self._bots.check(tenant, proven.bot_id)
        shown = await self._shown(proven)
        for attempt in range(_TRIES):
            owner = await self._integrations.find(whatsapp_account(proven.number_id))
            rival = await self._rival(owner, tenant, proven.number_id)
            if attempt == 0:
                await self._subscribed(proven)
            onboarded, operations = await self._written(tenant, proven, shown, owner, now, operation)
            event = number_event("onboard", onboarded.number, actor, {"waba_id": proven.waba_id})
            operations += [audit_operation(event, now), *(_taken_from(rival, now) if rival else ())]
            if await self._numbers.execute(operations):
                return onboarded
        raise ApiError(409, "conflict", "The number changed at the same time. Please retry.")

    async def _shown(self, proven: ProvenNumber) -> _Shown:
        try:
            number = await read_number(self._graph, proven.number_id, proven.token)
            account = await read_account(self._graph, proven.waba_id, proven.token)
            belongs = await has_number(self._graph, proven.waba_id, proven.number_id, proven.token)
        except GraphError as error:
            raise onboarding_error(error) from error
        if number.get("id") != proven.number_id or account.get("id") != proven.waba_id or not belongs:
            text = "The phone number does not belong to this WhatsApp Business account"
            raise refused("number_not_in_account", "phone_number_id", text)
        return _Shown(number, account)

    async def _rival(self, owner: ProviderAccount | None, tenant: str, number_id: str) -> PhoneNumber | None:
        """The number as another tenant has it, who proved it and can no longer use it.

        Raises ApiError 409 where that tenant still can, 502 where Meta does not say.
        """
        if owner is None or owner.tenant == tenant or not owner.proven:
            return None
        number = await self._numbers.get(owner.tenant, number_id)
        if number is None:
            return None
        try:
            await self._graph.get(number_id, self._sealer.unseal(number.token), {"fields": "id"})
        except GraphRefused as refusal:
            if refusal.fault.meaning in _LOST:
                return number
            raise onboarding_error(refusal) from refusal
        except GraphError as error:
            raise onboarding_error(error) from error
        except UnsealError:
            pass  # whether the token works can't be said, so the owner keeps the number
        raise ApiError(409, "conflict", "This number is connected to another tenant.")

    async def _subscribed(self, proven: ProvenNumber) -> None:
        try:
            await subscribe(self._graph, proven.waba_id, proven.token)
        except GraphError as error:
            raise onboarding_error(error) from error

    async def _written(
        self,
        tenant: str,
        proven: ProvenNumber,
        shown: _Shown,
        owner: ProviderAccount | None,
        now: Micros,
        operation: Operation,
    ) -> tuple[Onboarded, list[WriteOperation]]:
        """The number after the onboarding, and the operations that store it."""
        before = await self._numbers.get(tenant, proven.number_id)
        accounts = await self._numbers.accounts(tenant)
        known = next((each for each in accounts if each.waba_id == proven.waba_id), None)
        callbacks = await self._callbacks(tenant, proven, owner)
        account = described_account(shown.account, tenant, proven.waba_id, known, now, operation)
        number = described_number(shown.number, tenant, proven.number_id, account, before, now, operation)
        number = replace(number, token=self._sealer.seal(proven.token), bot_id=proven.bot_id or number.bot_id)
        business = whatsapp_business_account(proven.waba_id)
        operations = [
            prove_operation(whatsapp_account(proven.number_id), callbacks, owner),
            save_account_operation(account, known),
            save_operation(number, before),
            *([business_account_operation(business, callbacks)] if callbacks.secret else ()),
            *([verify_token_operation(tenant, proven.verify_token)] if proven.verify_token else ()),
            *([touch_operation(tenant, proven.bot_id)] if proven.bot_id else ()),
        ]
        unsigned = callbacks.secret is None and not callbacks.allow_unsigned
        missing = number.registration_error or (_UNSIGNED if unsigned else None)
        return Onboarded(account, number, missing), operations

    async def _callbacks(self, tenant: str, proven: ProvenNumber, owner: ProviderAccount | None) -> ProviderAccount:
        """How the number's callbacks are verified: by the secret that is given, of the settings, or that was."""
        if proven.app_secret:
            return ProviderAccount(tenant, self._sealer.seal(proven.app_secret), allow_unsigned=False, proven=True)
        settings = await self._integrations.get(tenant, WhatsAppCredentials.provider)
        fields: dict[str, Any] = dict(settings.fields) if settings else {}
        if not fields.get("app_secret") and owner and owner.tenant == tenant and owner.secret:
            return replace(owner, proven=True)
        unsigned = bool(fields.get("allow_unsigned")) and not fields.get("app_secret")
        return ProviderAccount(tenant, fields.get("app_secret"), allow_unsigned=unsigned, proven=True)


def _taken_from(number: PhoneNumber, now: Micros) -> Sequence[WriteOperation]:
    """Disconnect the number at the tenant that had it, and say so in that tenant's audit log."""
    text = "Another account has proven this number, and your access token no longer works."
    lost = replace(number, is_active=False, registration_status=DISCONNECTED, registration_error=text, bot_id=None)
    event = AuditEvent(
        number.tenant, "whatsapp.number.lost", "phone_number", number.id, Actor(ActorKind.SYSTEM, "onboarding"), {}
    )
    return (save_operation(lost, number), audit_operation(event, now))
