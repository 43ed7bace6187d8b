"""A deployed stage for the checks of the command line: moto's secrets, parameters and topics, and Lambda by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from callmissed.platform.functions import FUNCTIONS, MAILER
from callmissed.platform.resources import (
    CALLBACK_SECRETS,
    PAYMENT_SECRETS,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    SEALING_KEYS,
)
from callmissed.settings import variable_of
from cli.checks.finding import CheckedStage, Finding

STAGE, REGION = "prod", "ap-south-1"
KEY = "ab" * 32
SECRETS = {
    PEPPERS: KEY,
    SEALING_KEYS: KEY,
    PROVIDER_KEYS: '{"OPENAI_API_KEY": "sk-1"}',
    CALLBACK_SECRETS: '{"META_APP_ID": "1", "META_APP_SECRET": "s"}',
    PAYMENT_SECRETS: '{"CASHFREE_APP_ID": "1", "CASHFREE_SECRET_KEY": "s", "CASHFREE_ENVIRONMENT": "production"}',
}


class NotFound(Exception):
    """Lambda's ResourceNotFoundException."""


@dataclass
class FakeLambda:
    """The part of Lambda that moto lacks."""

    concurrency: int = 1000
    unreserved: int = 1000
    functions: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {function.physical_name(STAGE): {"State": "Active"} for function in FUNCTIONS}
    )

    def __post_init__(self) -> None:
        self.send_mails(mail_transport="ses", mail_from="no-reply@mail.example.com")

    def send_mails(self, **settings: str) -> None:
        """Deploy the mailer with `settings`."""
        variables = {variable_of(name): value for name, value in settings.items()}
        self.functions[MAILER.physical_name(STAGE)]["Environment"] = {"Variables": variables}

    class exceptions:  # noqa: N801  boto3's name
        ResourceNotFoundException = NotFound

    def get_account_settings(self) -> dict[str, Any]:
        return {
            "AccountLimit": {
                "ConcurrentExecutions": self.concurrency,
                "UnreservedConcurrentExecutions": self.unreserved,
            }
        }

    def get_function_configuration(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:  # noqa: N803  boto3's
        assert Qualifier == "live"
        if FunctionName not in self.functions:
            raise NotFound
        return self.functions[FunctionName]


@dataclass
class FakeQuotas:
    """The requests for a higher limit. `denied` is AWS's code where the operator may not read them."""

    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    denied: str = ""

    def list_requested_service_quota_change_history_by_quota(self, **_: str) -> dict[str, Any]:
        if self.denied:
            raise ClientError({"Error": {"Code": self.denied}}, "ListRequestedServiceQuotaChangeHistoryByQuota")
        return {"RequestedQuotas": self.requests}


@dataclass
class FakeSes:
    """The account at SES, and its identities by whether they are verified."""

    identities: dict[str, bool] = field(default_factory=lambda: {"example.com": True})
    in_production: bool = True
    sends: bool = True

    def get_email_identity(self, EmailIdentity: str) -> dict[str, Any]:  # noqa: N803  boto3's
        if EmailIdentity not in self.identities:
            raise ClientError({"Error": {"Code": "NotFoundException"}}, "GetEmailIdentity")
        return {"VerifiedForSendingStatus": self.identities[EmailIdentity]}

    def get_account(self) -> dict[str, Any]:
        return {"ProductionAccessEnabled": self.in_production, "SendingEnabled": self.sends}


@dataclass
class DeployedStage:
    """A stage that lacks nothing, until a test takes something away. Use it under `mock_aws`."""

    functions: FakeLambda = field(default_factory=FakeLambda)
    quotas: FakeQuotas = field(default_factory=FakeQuotas)
    ses: FakeSes = field(default_factory=FakeSes)
    denied: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for resource, text in SECRETS.items():
            self.real("secretsmanager").create_secret(Name=resource.physical_name(STAGE), SecretString=text)
        self.write_providers("# none\n")
        self.topic = self.real("sns").create_topic(Name=f"callmissed-{STAGE}-alarms")["TopicArn"]
        self.real("sns").subscribe(TopicArn=self.topic, Protocol="email", Endpoint="ops@example.com")

    def real(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)  # pyright: ignore

    def client(self, service: str, **_: Any) -> Any:
        if service in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSomething")
        by_hand = {"lambda": self.functions, "service-quotas": self.quotas, "sesv2": self.ses}
        return by_hand.get(service) or self.real(service)

    def write_providers(self, text: str) -> None:
        name = PROVIDERS_FILE.physical_name(STAGE)
        self.real("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)

    def write_secret(self, resource: Any, text: str) -> None:
        self.real("secretsmanager").put_secret_value(SecretId=resource.physical_name(STAGE), SecretString=text)

    def asked(self, check: Callable[[CheckedStage], Any]) -> list[Finding]:
        return list(check(CheckedStage(STAGE, REGION, self.client)))
