"""Challenges: what a person was asked, to be answered within five minutes and five tries, once.

A challenge is bound to its purpose, the person, and the person's generation: a new password ends it. Its token is
random, and the item is found by the token's SHA-256. A try is counted before the answer is compared, in one
conditional write, so that tries at once can't exceed five.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import above, below
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.aws.operations import WriteOperation, delete_operation, put_operation
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.platform.tables import CHALLENGES
from callmissed.tenants.users import User

LIFETIME = 5 * MINUTE
MAX_TRIES = 5
_TTL_SLACK_SECONDS = 3600


class ChallengePurpose(StrEnum):
    """What an answer is good for."""

    SIGN_IN = "sign_in"
    NEW_PASSKEY = "new_passkey"


@dataclass(frozen=True, slots=True)
class IssuedChallenge:
    """A new challenge: its token, and the random bytes that a passkey signs."""

    token: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge, a try of which has been counted.

    `use` deletes it; the transaction with it fails if the challenge was used meanwhile.
    """

    tenant: str
    user_id: str
    generation: int
    nonce: bytes
    tries_left: int
    use: WriteOperation

    def is_for(self, user: User) -> bool:
        """Whether the challenge is for this person as of now."""
        asked = (self.tenant, self.user_id, self.generation)
        return user.is_active and asked == (user.tenant, user.user_id, user.generation)


class Challenges:
    """The challenges of one stage. Every method raises Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, purpose: ChallengePurpose, user: User, now: Micros) -> IssuedChallenge:
        """A new challenge for the person. One write, as a transaction, which is applied once: see `Codes.issue`."""
        issued = IssuedChallenge(f"cmc_{secrets.token_hex(32)}", secrets.token_bytes(32))
        item = {
            **_key(issued.token),
            "purpose": str(purpose),
            "tenant": user.tenant,
            "user_id": user.user_id,
            "generation": user.generation,
            "nonce": issued.nonce.hex(),
            "tries": 0,
            "expires": now + LIFETIME,
            "ttl": (now + LIFETIME) // SECOND + _TTL_SLACK_SECONDS,
        }
        await self._database.transact([put_operation(CHALLENGES, item)])
        return issued

    async def attempt(self, purpose: ChallengePurpose, token: str, now: Micros) -> Challenge:
        """Count a try of the challenge. One write.

        Raises ApiError 401 for a challenge that is unknown, used or expired, 429 after five tries.
        """
        key, alive = _key(token), {"purpose": str(purpose), "tries": below(MAX_TRIES), "expires": above(now)}
        try:
            # A repeated request after a lost answer counts twice, to the disadvantage of who guesses.
            item = await self._database.update(CHALLENGES, key, add={"tries": 1}, expected=alive)
        except ConditionFailed as refused:
            raise _refusal(refused.item, purpose, now) from None
        return Challenge(
            tenant=item["tenant"],
            user_id=item["user_id"],
            generation=item["generation"],
            nonce=bytes.fromhex(item["nonce"]),
            tries_left=MAX_TRIES - item["tries"],
            use=delete_operation(CHALLENGES, key),
        )


def invalid_challenge() -> ApiError:
    """401: the challenge is unknown, used or expired, or not for this person any more."""
    return ApiError(401, "invalid_challenge", "The challenge is invalid or has expired. Sign in again.")


def _refusal(item: Item, purpose: ChallengePurpose, now: Micros) -> ApiError:
    if not item or item["purpose"] != purpose or item["expires"] <= now:
        return invalid_challenge()
    wait = -((now - item["expires"]) // SECOND)
    message = "Too many wrong answers. Sign in again."
    return ApiError(429, "rate_limit_exceeded", message, headers={"Retry-After": str(wait)})


def _key(token: str) -> Item:
    return {"id": f"challenge#{hashlib.sha256(token.encode()).hexdigest()}"}
