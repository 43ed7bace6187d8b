"""The function `authorizer`: the REQUEST authorizer of routes with an authorizer."""

from typing import Any

from callmissed.aws.runtime import logs_failures, run
from callmissed.aws.start import prepare_start
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.platform.functions.wake_up import WAKE_UP
from functions.auth.authorizer import Policy, authorize, request_of
from functions.auth.composition import composed

prepare_start()


def handler(event: dict[str, Any], context: object) -> Policy:
    """The request's policy; nothing for the wake-up of a snapshot.

    Raises Exception("Unauthorized") for 401, and others when the key can't be checked.
    """
    policy = _policy(event, context)
    if policy is None:
        raise Exception("Unauthorized")  # the text is API Gateway's protocol
    return policy


@logs_failures("authorizer")
def _policy(event: dict[str, Any], _context: object) -> Policy | None:
    if event.get("schedule") == WAKE_UP:
        return {}
    try:
        return run(authorize(request_of(event), composed().authenticators, system_clock()))
    except ApiError as refused:
        if refused.status != 401:
            raise
    return None
