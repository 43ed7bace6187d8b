"""What nobody may change of a person, and changes that conflict with others."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from callmissed.audit.events import Actor
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.routes.route import Role
from callmissed.tenants.users import User

_TRIES = 10
Result = TypeVar("Result")


def check_change(user: User, changes: Mapping[str, Any], actor: Actor) -> None:
    """Refuse what only a transfer of the ownership changes, changes of one's own role, and of the owner by others.

    Raises ApiError 400, 403.
    """
    if "role" in changes and user.role is Role.OWNER:
        raise invalid_request("The owner's role can't be changed. Transfer the ownership instead.", "role")
    if "role" in changes and user.user_id == actor.actor_id:
        raise invalid_request("You can't change your own role.", "role")
    if changes.get("is_active") is False and user.role is Role.OWNER:
        raise invalid_request("The owner can't be deactivated. Transfer the ownership first.", "is_active")
    if user.role is Role.OWNER and user.user_id != actor.actor_id:
        raise ApiError(403, "permission_denied", "Only the owner changes the owner.")


def check_removal(user: User, actor: Actor) -> None:
    """Refuse to remove the owner, or oneself. Raises ApiError 400."""
    if user.user_id == actor.actor_id:
        raise invalid_request("You can't remove yourself.")
    if user.role is Role.OWNER:
        raise invalid_request("The owner can't be removed. Transfer the ownership first.")


def check_assignment(user: User, role: Role, actor: Actor) -> None:
    """Refuse a role to oneself, and the ownership to somebody who can't sign in. Raises ApiError 400."""
    if user.user_id == actor.actor_id:
        raise invalid_request("You can't change your own role. Transfer the ownership instead.", "role")
    if role is Role.OWNER and not user.is_active:
        raise invalid_request("A deactivated person can't own the account.", "role")
    if role is Role.OWNER and not user.confirmed:
        raise invalid_request("A person who has not confirmed the address can't own the account.", "role")


async def retried(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Result of `attempt`, which reads and writes, and is repeated after a conflict. Raises ApiError 409."""
    for _ in range(_TRIES):
        try:
            return await attempt()
        except TransactionCanceled:
            continue
    raise ApiError(409, "conflict", "The team changed at the same time. Please retry.")
