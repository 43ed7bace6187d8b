"""The resources beside tables and queues: secrets, the providers file, buckets, the event bus.

A function lists the resources that it `needs`. Its role's rights, its environment and what a stage is built of follow
from the rows here.
"""

from dataclasses import dataclass
from enum import Enum, auto

from callmissed.platform.tenant_data import HELPERS, NO_TENANT_DATA, OWNERS, TenantData, expires
from callmissed.settings import variable_of

_READ_SECRET = ("secretsmanager:GetSecretValue",)


class ResourceKind(Enum):
    """AWS's type of a resource. It decides what the environment variable holds."""

    SECRET = auto()
    """A Secrets Manager secret. The variable holds its name."""
    PARAMETER = auto()
    """An SSM parameter. The variable holds `ssm:` and its name."""
    BUCKET = auto()
    """An S3 bucket. Each function has a prefix of its own, which is the function's name; a bucket that is `shared` has
    one prefix, which is the bucket's name. The variable holds the bucket's name and the prefix, with a slash between
    them; the actions apply to the objects below the prefix."""
    EVENT_BUS = auto()
    """An EventBridge bus. Functions derive its name from the stage."""


_READ_AT_START = (ResourceKind.SECRET, ResourceKind.PARAMETER)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a stage, and in `holds` what is in it.

    `pattern` is its physical name, with `{stage}`, and for a bucket, whose name is worldwide, with `{account}` and
    `{region}`. `actions` are the IAM actions of every function that needs it, `write_actions` those of one
    that writes it besides. `setting` is the field of `CoreSettings`
    by which a function finds it, if it needs one.

    A secret or a parameter of a new stage has `content`; a secret without starts as a random key of 32 bytes, in hex.
    `rotation` says how a secret's content is replaced, because Secrets Manager does not do that. A bucket's objects go
    after `expires_days`, and functions see each other's objects where it is `shared`. Web pages of any origin may use
    the `page_methods` on its objects, by a signed URL or form (docs/decisions/0001-keys-in-browsers.md). The operator
    creates one that is `from_operator`, and only a stage whose settings ask for it has it. Functions read a secret
    once, and one that is `read_again` every few minutes.
    """

    name: str
    kind: ResourceKind
    pattern: str
    actions: tuple[str, ...]
    holds: str
    tenant_data: TenantData
    setting: str | None = None
    content: str | None = None
    rotation: str = ""
    expires_days: int | None = None
    from_operator: bool = False
    shared: bool = False
    write_actions: tuple[str, ...] = ()
    page_methods: tuple[str, ...] = ()
    read_again: bool = False

    @property
    def variable(self) -> str | None:
        """The environment variable that `setting` is read from."""
        return variable_of(self.setting) if self.setting else None

    @property
    def read_at_start(self) -> bool:
        """Whether functions read the content once, when they start, so that new content needs a new start."""
        return self.kind in _READ_AT_START and not self.read_again

    def physical_name(self, stage: str, *, account: str = "", region: str = "") -> str:
        """Name in `stage`. Only a bucket's name has the account and the region."""
        return self.pattern.format(stage=stage, account=account, region=region)


PEPPERS = Resource(
    "peppers",
    ResourceKind.SECRET,
    "callmissed/{stage}/peppers",
    _READ_SECRET,
    holds="Peppers of API keys and of tokens: hex, comma-separated, the current one first",
    tenant_data=NO_TENANT_DATA,
    setting="pepper_secret_name",
    rotation="Rotated by hand: the old pepper stays live until the keys have moved over, and for 7 days.",
)
SEALING_KEYS = Resource(
    "sealing-keys",
    ResourceKind.SECRET,
    "callmissed/{stage}/sealing-keys",
    _READ_SECRET,
    holds="Keys that seal webhooks' secrets: hex, comma-separated, the current one first",
    tenant_data=NO_TENANT_DATA,
    setting="sealing_secret_name",
    rotation="Rotated by hand: the old key stays live for what it has sealed.",
)
PROVIDER_KEYS = Resource(
    "provider-keys",
    ResourceKind.SECRET,
    "callmissed/{stage}/provider-keys",
    _READ_SECRET,
    holds="API keys of upstream providers: a JSON object by environment variable name",
    tenant_data=NO_TENANT_DATA,
    setting="provider_keys_secret_name",
    content="{}",
    rotation="The providers issue these keys; the operator replaces them.",
)
CALLBACK_SECRETS = Resource(
    "callback-secrets",
    ResourceKind.SECRET,
    "callmissed/{stage}/callback-secrets",
    _READ_SECRET,
    holds="Secrets that sign callbacks to the platform's own accounts: a JSON object by environment variable name",
    tenant_data=NO_TENANT_DATA,
    setting="callback_secrets_name",
    content="{}",
    rotation="The providers issue these secrets; the operator replaces them.",
)
PAYMENT_SECRETS = Resource(
    "payment-secrets",
    ResourceKind.SECRET,
    "callmissed/{stage}/payment-secrets",
    _READ_SECRET,
    holds="The account at the payment gateway: a JSON object with CASHFREE_APP_ID, CASHFREE_SECRET_KEY and "
    "CASHFREE_ENVIRONMENT",
    tenant_data=NO_TENANT_DATA,
    setting="payment_secrets_name",
    content="{}",
    rotation="The gateway issues these secrets; the operator replaces them, and functions use them within minutes.",
    read_again=True,
)
ACCOUNT_SECRETS = Resource(
    "account-secrets",
    ResourceKind.SECRET,
    "callmissed/{stage}/account-secrets",
    _READ_SECRET,
    holds="Secrets of sign-in and mails: a JSON object with TURNSTILE_SECRET_KEY and SMTP_PASSWORD",
    tenant_data=NO_TENANT_DATA,
    setting="account_secrets_name",
    rotation="Cloudflare and the mail server issue these secrets; the operator replaces them.",
    from_operator=True,
)
PROVIDERS_FILE = Resource(
    "providers",
    ResourceKind.PARAMETER,
    "/callmissed/{stage}/providers",
    ("ssm:GetParameter",),
    holds="The providers file (TOML)",
    tenant_data=NO_TENANT_DATA,
    setting="providers_file",
    write_actions=("ssm:PutParameter",),
    content="# Your own providers and models go here.\n",
)
"""A stage may keep the operator's file as an S3 object instead."""

RESPONSES_BUCKET = Resource(
    "responses",
    ResourceKind.BUCKET,
    "callmissed-{stage}-answers-{account}-{region}",
    ("s3:GetObject", "s3:PutObject"),
    holds="Long answers to requests with an Idempotency-Key, which are too large for the table",
    tenant_data=expires(3),
    setting="responses_bucket",
    expires_days=2,
)
"""Answers are replayed for 24 hours; S3 expires by whole days, so the second one covers all of them."""

STORED_RESPONSES = Resource(
    "stored-responses",
    ResourceKind.BUCKET,
    "callmissed-{stage}-stored-{account}-{region}",
    ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    holds="Stored responses whose conversations are too large for the table",
    tenant_data=HELPERS,
    setting="stored_responses_bucket",
    expires_days=31,
)
"""Responses are stored for 30 days; S3 expires by whole days, so the last one covers all of them."""

IMAGES_BUCKET = Resource(
    "images",
    ResourceKind.BUCKET,
    "callmissed-{stage}-images-{account}-{region}",
    ("s3:GetObject", "s3:PutObject"),
    holds="Images that were drawn, by tenant and key",
    tenant_data=OWNERS,
    setting="images_bucket",
    expires_days=31,
    page_methods=("GET",),
)
"""Images are in the history for 30 days; S3 expires by whole days, so the last one covers all of them."""

FILES_BUCKET = Resource(
    "files",
    ResourceKind.BUCKET,
    "callmissed-{stage}-files-{account}-{region}",
    ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    holds="Files of tenants, by tenant",
    tenant_data=OWNERS,
    setting="files_bucket",
    expires_days=31,
    shared=True,
    page_methods=("GET", "POST"),
)
"""Files are kept for 30 days at most; S3 expires by whole days, so the last one covers all of them."""

EVENT_BUS = Resource(
    "events",
    ResourceKind.EVENT_BUS,
    "callmissed-{stage}",
    ("events:PutEvents",),
    holds="Platform events",
    tenant_data=expires(1),
)

RESOURCES = (
    PEPPERS,
    SEALING_KEYS,
    PROVIDER_KEYS,
    CALLBACK_SECRETS,
    PAYMENT_SECRETS,
    ACCOUNT_SECRETS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    STORED_RESPONSES,
    IMAGES_BUCKET,
    FILES_BUCKET,
    EVENT_BUS,
)
