"""Secrets that settings only name: peppers, sealing keys, the providers' API keys and the secrets of callbacks.

On one machine the settings hold them; a deployed process reads them from AWS Secrets Manager, once, and those of the
payment gateway every few minutes. Only composition roots import this module, and pass the secrets on.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from callmissed.observability import LoggableError, get_logger
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_MIN_PEPPER_BYTES = 16
_MIN_SEALING_KEY_BYTES = 32
_KEPT_SECONDS = 300
_MIN_AGE_SECONDS = 60

_logger = get_logger("secrets")


class SecretError(LoggableError, ValueError):
    """A secret of ours is missing or too short."""


@cache
def pepper_ring(settings: CoreSettings) -> tuple[bytes, ...]:
    """The live peppers, the current one first. Raises SecretError when there is none or one is too short."""
    return parsed_peppers(settings.peppers or _text(settings.pepper_secret_name, settings.region))


@cache
def sealing_ring(settings: CoreSettings) -> tuple[bytes, ...]:
    """The live sealing keys, the current one first. Raises SecretError as `pepper_ring` does."""
    return parsed_sealing_keys(settings.sealing_keys or _text(settings.sealing_secret_name, settings.region))


@cache
def provider_environment(settings: CoreSettings) -> Mapping[str, str]:
    """The mapping of providers' API keys: the provider-keys secret, then the environment."""
    return _environment(settings.provider_keys_secret_name, settings.region)


@cache
def callback_environment(settings: CoreSettings) -> Mapping[str, str]:
    """The mapping of secrets that sign callbacks to the platform's accounts, as `provider_environment`."""
    return _environment(settings.callback_secrets_name, settings.region)


class RecentEnvironment:
    """The mapping of a secret that is rotated while the process runs, as `provider_environment`.

    Where it can't be read anew, the content that was read last stays in use.
    """

    def __init__(self, name: str, region: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._region = region
        self._seconds = seconds
        self._values: Mapping[str, str] = {}
        self._tried: float | None = None

    def values(self, *, newest: bool = False) -> Mapping[str, str]:
        """The content, at most five minutes old, or one minute if it must be the `newest`: nobody makes us ask more.

        Raises botocore.exceptions.ClientError when the first read fails.
        """
        now = self._seconds()
        if self._tried is None or now - self._tried >= (_MIN_AGE_SECONDS if newest else _KEPT_SECONDS):
            self._read(now)
        return self._values

    def _read(self, now: float) -> None:
        try:
            self._values = _environment(self._name, self._region)
        except Exception:
            if self._tried is None:
                raise
            _logger.exception("a secret could not be read anew")
        self._tried = now


@cache
def payment_environment(settings: CoreSettings) -> RecentEnvironment:
    """The secrets of the payment gateway."""
    return RecentEnvironment(settings.payment_secrets_name, settings.region)


@cache
def account_environment(settings: CoreSettings) -> Mapping[str, str]:
    """The mapping of secrets that sign-in and mails need, as `provider_environment`."""
    return _environment(settings.account_secrets_name, settings.region)


def parsed_peppers(text: str) -> tuple[bytes, ...]:
    """The peppers in `text`. Raises SecretError as `pepper_ring`."""
    return _ring("pepper", text, _MIN_PEPPER_BYTES)


def parsed_sealing_keys(text: str) -> tuple[bytes, ...]:
    """The sealing keys in `text`. Raises SecretError as `sealing_ring`."""
    return _ring("sealing key", text, _MIN_SEALING_KEY_BYTES)


def read_secret(name: str, region: str) -> str:
    """The secret's current text. Raises botocore.exceptions.ClientError."""
    import boto3  # takes 0.1 s, and only processes with secrets in AWS need it

    client: SecretsManagerClient = boto3.client("secretsmanager", region_name=region)  # pyright: ignore[reportUnknownMemberType]
    return client.get_secret_value(SecretId=name)["SecretString"]


def _environment(name: str, region: str) -> Mapping[str, str]:
    if not name:
        return os.environ
    values: dict[str, str] = json.loads(_text(name, region) or "{}")
    return {**os.environ, **values}


def _text(name: str, region: str) -> str:
    return read_secret(name, region) if name else ""


def _ring(kind: str, text: str, min_bytes: int) -> tuple[bytes, ...]:
    ring = tuple(bytes.fromhex(part.strip()) for part in text.split(",") if part.strip())
    if not ring or any(len(key) < min_bytes for key in ring):
        raise SecretError(f"at least one {kind} of {min_bytes} bytes or more, in hex, is needed")
    return ring
