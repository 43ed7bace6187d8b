"""The desk's environment: what the cloud sets on a deployed function, set on this process."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from callmissed.settings import CoreSettings, from_environment
from local.aws.engines import Store
from local.aws.services import Services
from local.state.folder import Secrets

STAGE = "local"
_PASSED_THROUGH = ("CALLMISSED_PROVIDERS_FILE", "CALLMISSED_LOG_LEVEL")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the functions find what they need, and how the desk is reached from outside."""

    store: Store
    services: Services
    secrets: Secrets
    public_url: str


def environment(site: Site) -> Mapping[str, str]:
    """Variables with which the functions work on `site`."""
    return {
        "CALLMISSED_STAGE": site.store.stage,
        "CALLMISSED_DYNAMODB_ENDPOINT": site.store.endpoint,
        "CALLMISSED_AWS_ENDPOINT": site.services.endpoint,
        "CALLMISSED_QUEUE_BASE": site.services.queue_base,
        "CALLMISSED_RESPONSES_BUCKET": site.services.bucket,
        "CALLMISSED_PEPPERS": site.secrets.pepper,
        "CALLMISSED_SEALING_KEYS": site.secrets.sealing_key,
        "CALLMISSED_PUBLIC_URL": site.public_url,
        # A webhook's endpoint is most often on the machine of who tries it.
        "CALLMISSED_ALLOW_LOOPBACK": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Metrics are log lines for CloudWatch, which does not read terminals.
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("CALLMISSED_LOG_LEVEL") or "WARNING",
    }


def forget_clouds() -> None:
    """Drop a deployed stage's variables and real AWS credentials: neither functions nor engines may use them."""
    for name in list(os.environ):
        if name.startswith(("CALLMISSED_", "AWS_")) and name not in _PASSED_THROUGH:
            del os.environ[name]


def settle_down(site: Site) -> CoreSettings:
    """Make this process's environment the desk's, so that handlers find what they read; returns the settings.

    Raises pydantic.ValidationError.
    """
    forget_clouds()
    os.environ.update(environment(site))
    return from_environment()
