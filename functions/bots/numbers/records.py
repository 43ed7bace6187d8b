"""Records of a tenant's WhatsApp accounts and phone numbers, and their stored forms.

Items of the table `bots`, whose partition is the tenant:

    ACCOUNT#<WABA id>            a WhatsApp Business account
    NUMBER#<phone number id>     a phone number; the access token is sealed

The owner of a number, whose callbacks are accepted, is an item of the table `tenants`
(callmissed.integrations.repository).
"""

from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.clock import Micros

ACCOUNT, NUMBER = "ACCOUNT#", "NUMBER#"
DISCONNECTED = "disconnected"
"""`registration_status` of a number whose token Meta refuses."""


@dataclass(frozen=True, slots=True)
class WhatsAppAccount:
    """A WhatsApp Business account as Meta described it when it was last read. `waba_id` is Meta's id, `id` ours."""

    tenant: str
    id: str
    waba_id: str
    created: Micros
    business_id: str | None = None
    name: str | None = None
    currency: str | None = None
    review_status: str | None = None
    account_status: str | None = None
    account_restriction_reason: str | None = None
    payment_setup_complete: bool | None = None
    is_active: bool = True

    @property
    def key(self) -> Item:
        """Key of the item."""
        return {"tenant": self.tenant, "item": ACCOUNT + self.waba_id}


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A phone number of WhatsApp as Meta described it when it was last read. `number_id` is Meta's id, `id` ours.

    `token` is the sealed access token. Without a `bot_id` messages are stored and never answered, as with `autoreply`
    off. `registration_error` says why Meta refuses the token; the number is shown as disconnected then.
    """

    tenant: str
    id: str
    account_id: str
    waba_id: str
    number_id: str
    display_phone_number: str
    verified_name: str
    token: str
    created: Micros
    bot_id: str | None = None
    autoreply: bool = True
    is_active: bool = True
    code_verification_status: str | None = None
    quality_rating: str | None = None
    messaging_limit_tier: str | None = None
    throughput_level: str | None = None
    registration_status: str = "connected"
    registration_error: str | None = None
    name_status: str | None = None
    revision: int = 1

    @property
    def key(self) -> Item:
        """Key of the item."""
        return number_key(self.tenant, self.number_id)

    @property
    def is_connected(self) -> bool:
        """Whether Meta takes messages of this number from us, as far as we know."""
        return self.is_active and self.registration_status == "connected"


def number_key(tenant: str, number_id: str) -> Item:
    """Key of the item of the phone number that Meta calls `number_id`."""
    return {"tenant": tenant, "item": NUMBER + number_id}


def to_number_item(number: PhoneNumber | WhatsAppAccount) -> Item:
    """The stored form of a number or an account. What is None is left out."""
    fields = {name: getattr(number, name) for name in number.__slots__}
    return number.key | {name: value for name, value in fields.items() if value is not None}


def number_of(item: Item) -> PhoneNumber:
    """The phone number of a stored item."""
    return PhoneNumber(**{name: value for name, value in item.items() if name != "item"})


def account_of(item: Item) -> WhatsAppAccount:
    """The account of a stored item."""
    return WhatsAppAccount(**{name: value for name, value in item.items() if name != "item"})
