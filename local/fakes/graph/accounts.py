"""What a business has at Meta: apps, WhatsApp Business Accounts, their numbers, and tokens."""

from dataclasses import dataclass, field

from local.fakes.graph.errors import JsonObject, invalid_parameter

WABA_ID = "100200300400500"
NUMBER_ID = "100200300400501"
APP_ID = "100200300400502"
BUSINESS_ID = "100200300400503"
PHONE_PAGE = "/_graph/phone/"
"""Path of the page with a user's phone."""


@dataclass(slots=True)
class GraphApp:
    """A Meta app. Callbacks go to `callback_url`, signed with `secret`; without a URL they are kept."""

    secret: str
    verify_token: str = ""
    callback_url: str = ""
    app_id: str = APP_ID
    name: str = "CallMissed"


@dataclass(slots=True)
class GraphNumber:
    """A business's phone number."""

    number_id: str
    display: str = "+91 80000 00001"
    verified_name: str = "Stand-in Bakery"
    status: str = "CONNECTED"
    quality: str = "GREEN"
    tier: str = "TIER_1K"

    @property
    def digits(self) -> str:
        """The number as callbacks have it."""
        return "".join(filter(str.isdigit, self.display))

    def node(self) -> JsonObject:
        """Every field that can be asked for."""
        return {
            "id": self.number_id,
            "display_phone_number": self.display,
            "verified_name": self.verified_name,
            "code_verification_status": "VERIFIED",
            "quality_rating": self.quality,
            "messaging_limit_tier": self.tier,
            "whatsapp_business_manager_messaging_limit": self.tier,
            "throughput": {"level": "STANDARD"},
            "name_status": "APPROVED",
            "status": self.status,
            "platform_type": "CLOUD_API" if self.status == "CONNECTED" else "NOT_APPLICABLE",
            "account_mode": "LIVE",
            "is_official_business_account": False,
            "is_pin_enabled": self.status == "CONNECTED",
        }


@dataclass(slots=True)
class GraphAccount:
    """A WhatsApp Business Account (WABA). Its callbacks go out while the app is `subscribed`.

    `override_url` takes the place of the app's callback URL.
    """

    waba_id: str
    app: GraphApp
    name: str = "Stand-in Bakery"
    currency: str = "INR"
    business_id: str = BUSINESS_ID
    numbers: dict[str, GraphNumber] = field(default_factory=dict[str, GraphNumber])
    subscribed: bool = True
    override_url: str = ""

    @property
    def callback_url(self) -> str:
        """Where callbacks go; empty where they are kept."""
        return self.override_url or self.app.callback_url

    def node(self) -> JsonObject:
        """Every field that can be asked for."""
        return {
            "id": self.waba_id,
            "name": self.name,
            "currency": self.currency,
            "timezone_id": "71",
            "message_template_namespace": f"ns_{self.waba_id}",
            "account_review_status": "APPROVED",
            "business_verification_status": "verified",
            "country": "IN",
            "status": "ACTIVE",
            "ownership_type": "CLIENT_OWNED",
            "owner_business_info": {"name": self.name, "id": self.business_id},
            "on_behalf_of_business_info": {
                "name": self.name,
                "id": self.business_id,
                "status": "APPROVED",
                "type": "SELF",
            },
        }


@dataclass(slots=True)
class GrantedToken:
    """An access token for `wabas`; `revoked` ones are refused. The token of an app itself has no WABA."""

    app: GraphApp
    wabas: set[str]
    revoked: bool = False


NUMBER_FIELDS = ("verified_name", "code_verification_status", "display_phone_number", "quality_rating", "id")
ACCOUNT_FIELDS = ("id", "name", "currency", "timezone_id", "message_template_namespace")
_WITHOUT_VALUE = frozenset(
    (
        *("conversational_automation", "quality_score", "webhook_configuration", "new_name_status", "certificate"),
        *("new_certificate", "search_visibility", "eligibility_for_api_business_global_search", "health_status"),
        *("last_onboarded_time", "country_code", "country_dial_code", "is_on_biz_app", "is_preverified_number"),
        *("username", "is_enabled_for_insights", "marketing_messages_lite_api_status", "subscribed_apps"),
        *("marketing_messages_onboarding_status", "disable_marketing_messages_on_cloud_api"),
    )
)
"""Fields that exist at Meta and have no value here: they are left out of answers."""


def selected(node: JsonObject, asked: str, default: tuple[str, ...], kind: str) -> JsonObject:
    """The fields of `node` that a query's `fields` asks for, always with the id.

    Raises GraphRefusal for a field that does not exist.
    """
    names = [name.partition("{")[0].strip() for name in asked.split(",")] if asked else list(default)
    for name in names:
        if name not in node and name not in _WITHOUT_VALUE:
            raise invalid_parameter(f"Tried accessing nonexisting field ({name}) on node type ({kind})")
    return {name: node[name] for name in dict.fromkeys([*names, "id"]) if name in node}
