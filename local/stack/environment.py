"""The environment variables that a deployed function has, set on this process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from callmissed.settings import CoreSettings, from_environment
from local.aws.account import REGION
from local.aws.services import StageServices
from local.aws.tables import StageTables
from local.fakes.graph.accounts import PHONE_PAGE
from local.state.folder import LocalSecrets

_PUBLIC_URL = "CALLMISSED_PUBLIC_URL"
_CONSOLE_URL = "CALLMISSED_CONSOLE_URL"
_GRAPH_URL = "CALLMISSED_GRAPH_URL"
_CASHFREE_URL = "CALLMISSED_CASHFREE_URL"
_PASSED_THROUGH = (
    "CALLMISSED_PROVIDERS_FILE",
    "CALLMISSED_LOG_LEVEL",
    _PUBLIC_URL,
    _CONSOLE_URL,
    _GRAPH_URL,
    "CALLMISSED_TERMS_URL",
    "CALLMISSED_SIGNUP_BONUS_CREDITS",
    "CALLMISSED_GOOGLE_CLIENT_IDS",
    "CALLMISSED_CAPTCHA",
    "CALLMISSED_CAPTCHA_URL",
)


@dataclass(frozen=True, slots=True)
class LocalEndpoints:
    """Where the functions find tables, services, secrets, Graph and the payment gateway, and the stack's own URL."""

    tables: StageTables
    services: StageServices
    secrets: LocalSecrets
    public_url: str
    mail_outbox: str = ""
    graph_url: str = ""
    cashfree_url: str = ""
    checkout_page: str = ""

    @property
    def graph_origin(self) -> str:
        """The stand-in for Graph, without the version; empty without one."""
        return f"http://{urlsplit(self.graph_url).netloc}" if self.graph_url else ""

    @property
    def phone_page(self) -> str:
        """The page with the phone of a user of WhatsApp."""
        return self.graph_origin + PHONE_PAGE

    @property
    def localhost_url(self) -> str:
        """The stack under a name: passkeys belong to names, and not to addresses."""
        return f"http://localhost:{urlsplit(self.public_url).port}"


def environment(endpoints: LocalEndpoints) -> Mapping[str, str]:
    """The variables with which functions use `endpoints`."""
    return {
        "CALLMISSED_STAGE": endpoints.tables.stage,
        "CALLMISSED_DYNAMODB_ENDPOINT": endpoints.tables.endpoint,
        **endpoints.services.variables,
        **endpoints.secrets.variables,
        # Providers that call through a tunnel sign its URL.
        _PUBLIC_URL: os.environ.get(_PUBLIC_URL) or endpoints.public_url,
        _CONSOLE_URL: os.environ.get(_CONSOLE_URL) or endpoints.localhost_url,
        # Another stand-in, or Meta itself, may take the place of ours.
        _GRAPH_URL: os.environ.get(_GRAPH_URL) or endpoints.graph_url,
        _CASHFREE_URL: endpoints.cashfree_url,
        "CALLMISSED_MAIL_TRANSPORT": "local",
        "CALLMISSED_MAIL_OUTBOX": endpoints.mail_outbox,
        # A developer's webhook endpoint is most often on the same machine.
        "CALLMISSED_ALLOW_LOOPBACK": "true",
        # A developer is caller and operator at once.
        "CALLMISSED_NAMES_VARIABLES": "true",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Metrics are log lines for CloudWatch, which does not read terminals.
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("CALLMISSED_LOG_LEVEL") or "WARNING",
    }


def clear_aws_environment() -> None:
    """Remove variables of a deployed stage and AWS credentials: neither functions nor engines may use them."""
    for name in list(os.environ):
        if name.startswith(("CALLMISSED_", "AWS_")) and name not in _PASSED_THROUGH:
            del os.environ[name]


def apply_environment(endpoints: LocalEndpoints) -> CoreSettings:
    """Replace this process's environment by that of `endpoints`, for the handlers; return the settings.

    Raises pydantic.ValidationError.
    """
    clear_aws_environment()
    os.environ.update(environment(endpoints))
    return from_environment()
