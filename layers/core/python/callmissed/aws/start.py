"""What a process of Lambda does once, when it starts: before its snapshot if it has one.

Importing boto3 and reading its models of services takes 0.4 s of CPU. The start has a whole CPU and, with a snapshot,
happens when the function is deployed; the first request has the share of a CPU that goes with the function's memory.
"""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TypeVar

from callmissed.observability import failure_code
from callmissed.settings import CoreSettings, from_environment

T = TypeVar("T")

_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_PROPAGATION_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.5


def prepare_start(*modules: str) -> None:
    """In Lambda, import boto3 and read its models of the services that the environment's settings name.

    `modules` are others that a library imports with the first request. Holds no secret and opens no connection.
    Elsewhere nothing happens, so that handlers can be imported anywhere.
    """
    settings = from_environment()
    if not settings.deployed:
        return
    for name in modules:
        import_module(name)
    if services := sorted(_services(settings)):
        from callmissed.aws.clients import warm_up  # boto3, which a function without such services never needs

        warm_up(services)


def retry_while_denied(
    read: Callable[[], T],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Result of `read`, repeated for 30 seconds while it is denied: a new role's rights take seconds to arrive."""
    until, pause = clock() + _PROPAGATION_SECONDS, _FIRST_PAUSE_SECONDS
    while True:
        try:
            return read()
        except Exception as error:  # botocore's errors have no other common base, and naming it would import botocore
            if failure_code(error) not in _DENIED or clock() + pause > until:
                raise
        sleep(pause)
        pause *= 2


def _services(settings: CoreSettings) -> Iterator[str]:
    """The services whose clients a process with `settings` makes."""
    rings = (settings.pepper_secret_name, settings.sealing_secret_name)
    if any((*rings, settings.provider_keys_secret_name, settings.callback_secrets_name, settings.account_secrets_name)):
        yield "secretsmanager"
    if any(
        (settings.responses_bucket, settings.stored_responses_bucket, settings.images_bucket, settings.files_bucket)
    ):
        yield "s3"
    if settings.queue_base:
        yield "sqs"
