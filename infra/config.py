"""Configuration of a stage, typed and validated before anything is built from it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from callmissed.platform.functions import FUNCTIONS
from callmissed.platform.resources import ACCOUNT_SECRETS, Resource

if TYPE_CHECKING:
    from aws_cdk import Environment
    from constructs import Node

DEFAULT_STAGE = "dev"
_DOMAIN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
_BEDROCK_MODEL = r"^(arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:[a-z-]+/)?[A-Za-z0-9][A-Za-z0-9.:_-]*$"
_LINK = rf"^(https://{_DOMAIN}(:\d+)?(/[^\s?#]*)?)?$"
_CLIENT_IDS = r"^[A-Za-z0-9._-]*(,[A-Za-z0-9._-]+)*$"
_ADDRESS = r"^([^@\s]+@[^@\s]+)?$"
_CERTIFICATE = r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$"


class ConfigError(Exception):
    """The settings of a stage are wrong; one line for each."""


def _from_text(value: object) -> object:
    """The command line gives every value as text: numbers and objects are JSON in it."""
    return json.loads(value) if isinstance(value, str) else value


_FromText = BeforeValidator(_from_text)


class StageConfig(BaseModel):
    """One stage. The values come from `stages.<stage>` in cdk.json; `cdk -c <name>=<value>` overrides one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,15}$")] = DEFAULT_STAGE
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "ap-south-1"
    log_retention_days: Annotated[Literal[30, 90, 180, 365, 731, 1827], _FromText] = 365
    log_level: Literal["DEBUG", "INFO"] = "INFO"
    """Not above INFO: Lambda would drop the lines of our metrics, which have no level, and alarms would see nothing.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    alarm_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    firewall: bool = True
    """Put a web ACL before the API, which limits each address."""
    requests_per_minute_per_ip: Annotated[int, Field(ge=10, le=2_000_000_000)] = 6000
    """The WAF's limit. Server-side callers share few addresses, so this guards against floods, not against use."""
    requests_per_second: Annotated[int, Field(ge=1)] = 500
    """The whole API's steady rate; `burst` requests may come at once."""
    burst: Annotated[int, Field(ge=1)] = 1000
    webhooks_at_once: Annotated[int, Field(ge=2, le=1000)] = 200
    """How many senders of webhooks may run at the same time, each with up to ten deliveries."""
    snap_start: bool = False
    """Snapshot the functions that are declared with `snap_start`: about $4 a month for each GB of their memory."""
    public_url: Annotated[str, Field(pattern=rf"^https://{_DOMAIN}(:\d+)?(/[^\s?#]*)?$")] = ""
    """The API's URL for callers, without `/v1`. Of a stage with a domain of its own, that one."""
    domain_name: Annotated[str, Field(pattern=rf"^{_DOMAIN}$")] | None = None
    certificate_arn: Annotated[str, Field(pattern=_CERTIFICATE)] | None = None
    """The domain's certificate in ACM, in the stage's region."""
    console_url: Annotated[str, Field(pattern=_LINK)] = ""
    """The web console's URL, for links in mails; its pages alone may use passkeys. Without it there are neither."""
    passkey_rp_id: Annotated[str, Field(pattern=rf"^({_DOMAIN})?$")] = ""
    """The domain that passkeys belong to, if it is not the console's host but above it. A change ends all passkeys."""
    terms_url: Annotated[str, Field(pattern=_LINK)] = ""
    """The terms of service, which who creates an account must accept; none where it is empty."""
    signup_bonus_credits: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Credits of a new tenant, once for an address."""
    google_client_ids: Annotated[str, Field(pattern=_CLIENT_IDS)] = ""
    """OAuth clients of web pages whose Google ID tokens sign in, between commas. Off without any."""
    google_native_client_ids: Annotated[str, Field(pattern=_CLIENT_IDS)] = ""
    """The same for apps, which need no captcha."""
    captcha: Literal["off", "turnstile"] = "off"
    """What `register`, `google` and `otp/send` ask for; Turnstile needs its secret in `account-secrets`."""
    mail_transport: Literal["none", "ses", "smtp"] = "none"
    """How mails leave. Without any nobody can register, and mails end as dead letters."""
    mail_from: Annotated[str, Field(pattern=_ADDRESS)] = ""
    """The sender's address."""
    mail_identity: Annotated[str, Field(pattern=r"^\S+$")] | None = None
    """The identity that SES has verified: the domain of `mail_from`, unless it is another."""
    smtp_url: Annotated[str, Field(pattern=r"^(smtps?://\S+)?$")] = ""
    """Such as `smtps://user@mail.example.com:465`; the password is in `account-secrets`."""
    low_credits: Annotated[int, Field(ge=0)] = 50
    """`credits.low` is published below as many credits."""
    reserved_concurrency: Annotated[Mapping[str, Annotated[int, Field(ge=0)]], _FromText] = Field(
        default_factory=dict[str, int]
    )
    """Concurrent executions that are kept for a function, by its name, and that it can't exceed."""
    api_gateway_log_role: bool = True
    """Set the account's API Gateway log role, once per account and region. Off where another stack owns it."""
    providers_object: Annotated[str, Field(pattern=r"^s3://[a-z0-9.-]+/.+$")] | None = None
    """An S3 object to use as the providers file instead of the SSM parameter, which holds at most 8 KB."""
    bedrock_models: Annotated[tuple[Annotated[str, Field(pattern=_BEDROCK_MODEL)], ...], _FromText] = ()
    """Models on Amazon Bedrock that the inference function's role may call: ids of models or of AWS's own inference
    profiles, or ARNs. The same as `upstream_id` in the providers file."""
    restored_streams: Annotated[Mapping[str, Annotated[str, Field(pattern=r"^arn:.+/stream/.+$")]], _FromText] = Field(
        default_factory=dict[str, str]
    )
    """ARNs of streams by table, for tables that were restored by hand: their streams are new."""
    revision: str = ""
    """Any text. A new one starts the functions afresh that read secrets or the providers file, which they do once."""
    bundle: bool = True
    """Install the real third-party layer. Off, every asset is a placeholder: for templates only."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.domain_name is None) != (self.certificate_arn is None):
            raise ValueError("domain_name and certificate_arn: set both, or neither")
        if self.certificate_arn and self.certificate_arn.split(":")[3] != self.region:
            raise ValueError(f"certificate_arn: API Gateway needs a certificate in {self.region}")
        if self.mail_transport != "none" and not self.mail_from:
            raise ValueError("mail_from: a stage that sends mails has a sender's address")
        if self.mail_transport == "smtp" and not self.smtp_url:
            raise ValueError("smtp_url: name the mail server")
        if unknown := self.reserved_concurrency.keys() - {function.name for function in FUNCTIONS}:
            raise ValueError(f"reserved_concurrency: there is no function {', '.join(sorted(unknown))}")
        if unknown := self.restored_streams.keys() - {function.follows for function in FUNCTIONS}:
            raise ValueError(f"restored_streams: no function follows a table {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _known_by_its_domain(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        domain = values.get("domain_name")
        return {"public_url": f"https://{domain}", **values} if domain else values

    @property
    def environment(self) -> "Environment":
        """Where the stacks go: the stage's region, in whichever account the operator's credentials belong to."""
        from aws_cdk import Environment  # seconds of import, which only a synthesis needs

        return Environment(region=self.region)

    def has(self, resource: Resource) -> bool:
        """Whether the stage uses a resource: the secrets of accounts, where a setting needs one of them."""
        return resource is not ACCOUNT_SECRETS or self.captcha != "off" or self.mail_transport == "smtp"

    @property
    def service(self) -> str:
        """The name of the whole stage; also the dimension `service` of its metrics."""
        return f"callmissed-{self.stage}"

    def named(self, part: str) -> str:
        """The physical name of `part` in this stage."""
        return f"{self.service}-{part}"


def from_context(node: "Node") -> StageConfig:
    """The stage that the CDK context names. Raises ConfigError naming what is wrong."""
    stage = node.try_get_context("stage") or DEFAULT_STAGE
    stages: Mapping[str, Mapping[str, Any]] = node.try_get_context("stages") or {}
    values: dict[str, Any] = {**stages.get(stage, {}), "stage": stage}
    for name in StageConfig.model_fields:
        override = node.try_get_context(name)
        if override is not None:
            values[name] = override
    try:
        return StageConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_line(stage, each["loc"], each["msg"]) for each in error.errors())) from error


def _line(stage: str, place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, place))
    return f"stage {stage}: {where + ': ' if where else ''}{message.removeprefix('Value error, ')}"
