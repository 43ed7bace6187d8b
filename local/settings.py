"""The desk's environment: what the cloud sets on a deployed function, set on this process."""

import os
from collections.abc import Mapping

from callmissed.settings import CoreSettings, from_environment
from local.engines import Store

STAGE = "local"
_PASSED_THROUGH = ("CALLMISSED_PROVIDERS_FILE", "CALLMISSED_LOG_LEVEL")


def environment(store: Store, pepper: str) -> Mapping[str, str]:
    """Variables with which the functions work on `store` and hash keys with `pepper` (hex)."""
    return {
        "CALLMISSED_STAGE": store.stage,
        "CALLMISSED_DYNAMODB_ENDPOINT": store.endpoint,
        "CALLMISSED_PEPPERS": pepper,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Metrics are log lines for CloudWatch, which does not read terminals.
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("CALLMISSED_LOG_LEVEL") or "WARNING",
    }


def settle_down(store: Store, pepper: str) -> CoreSettings:
    """Make this process's environment the desk's, so that handlers find what they read; returns the settings.

    Variables of a deployed stage and real AWS credentials are dropped: nothing on the desk may use them.
    Raises ValueError.
    """
    for name in list(os.environ):
        if name.startswith(("CALLMISSED_", "AWS_")) and name not in _PASSED_THROUGH:
            del os.environ[name]
    os.environ.update(environment(store, pepper))
    return from_environment()
