"""The API's URL for callers, from the settings or API Gateway's event: never from what a caller sends."""

from typing import Any

from starlette.types import Scope


def public_url(scope: Scope, setting: str) -> str:
    """The URL without a slash at its end: `setting` where it is set, else that of API Gateway's stage."""
    if setting:
        return setting.rstrip("/")
    event: dict[str, Any] = scope.get("aws.event") or {}
    context: dict[str, Any] = event.get("requestContext") or {}
    stage = str(context.get("path", "")).removesuffix(scope["path"])
    return f"https://{context.get('domainName', '')}{stage}"
