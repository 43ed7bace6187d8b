"""The resources beside tables and queues: secrets, the providers file, buckets, the event bus.

A function lists the resources that it `needs`. Its role's rights and its environment follow from the rows here.
"""

from dataclasses import dataclass
from enum import Enum, auto

_READ_SECRET = ("secretsmanager:GetSecretValue",)


class ResourceKind(Enum):
    """AWS's type of a resource. It decides what the environment variable holds."""

    SECRET = auto()
    """A Secrets Manager secret. The variable holds its ARN."""
    PARAMETER = auto()
    """An SSM parameter. The variable holds `ssm:` and its name."""
    BUCKET = auto()
    """An S3 bucket. The variable holds its name; the actions apply to its objects."""
    EVENT_BUS = auto()
    """An EventBridge bus. Functions derive its name from the stage."""


_READ_AT_START = (ResourceKind.SECRET, ResourceKind.PARAMETER)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a stage.

    `pattern` is its physical name, with `{stage}`, and for a bucket, whose name is worldwide, with `{account}` and
    `{region}`. `variable` is the environment variable by which a function finds it, if it needs one. `actions` are
    the IAM actions of every function that needs it.
    """

    name: str
    kind: ResourceKind
    pattern: str
    actions: tuple[str, ...]
    variable: str | None = None

    @property
    def read_at_start(self) -> bool:
        """Whether functions read the content once, when they start, so that new content needs a new start."""
        return self.kind in _READ_AT_START

    def physical_name(self, stage: str, *, account: str = "", region: str = "") -> str:
        """Name in `stage`. Only a bucket's name has the account and the region."""
        return self.pattern.format(stage=stage, account=account, region=region)


PEPPERS = Resource(
    "peppers", ResourceKind.SECRET, "callmissed/{stage}/peppers", _READ_SECRET, "CALLMISSED_PEPPER_SECRET_ARN"
)
"""Peppers of the API keys: hex, comma-separated, the current one first."""

SEALING_KEYS = Resource(
    "sealing-keys",
    ResourceKind.SECRET,
    "callmissed/{stage}/sealing-keys",
    _READ_SECRET,
    "CALLMISSED_SEALING_SECRET_ARN",
)
"""Keys that seal webhooks' secrets: hex, comma-separated, the current one first."""

PROVIDER_KEYS = Resource(
    "provider-keys",
    ResourceKind.SECRET,
    "callmissed/{stage}/provider-keys",
    _READ_SECRET,
    "CALLMISSED_PROVIDER_KEYS_SECRET_ARN",
)
"""The providers' API keys: a JSON object by environment variable name."""

PROVIDERS_FILE = Resource(
    "providers",
    ResourceKind.PARAMETER,
    "/callmissed/{stage}/providers",
    ("ssm:GetParameter",),
    "CALLMISSED_PROVIDERS_FILE",
)
"""The operator's providers file (TOML). A stage may keep it as an S3 object instead."""

RESPONSES_BUCKET = Resource(
    "answers",
    ResourceKind.BUCKET,
    "callmissed-{stage}-answers-{account}-{region}",
    ("s3:GetObject", "s3:PutObject"),
    "CALLMISSED_RESPONSES_BUCKET",
)
"""Long answers to requests with an Idempotency-Key, which are too large for the table."""

EVENT_BUS = Resource("events", ResourceKind.EVENT_BUS, "callmissed-{stage}", ("events:PutEvents",))
"""Platform events."""

RESOURCES = (PEPPERS, SEALING_KEYS, PROVIDER_KEYS, PROVIDERS_FILE, RESPONSES_BUCKET, EVENT_BUS)
