"""Six-digit codes that are sent by mail: at most one alive per purpose and address, ten minutes, five guesses, one use.

An item has the HMAC of purpose, address, code and what the code confirms, so that neither a reader of the table nor a
code of another purpose is of use, and a code never confirms what came after it. A guess is counted before it is
compared, in one conditional write, so that guesses at once can't exceed five.
"""

import hashlib
import hmac
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

LIFETIME = 10 * MINUTE
MAX_GUESSES = 5
_TTL_SLACK_SECONDS = 3600


class CodePurpose(StrEnum):
    """What a code is good for."""

    REGISTER = "register"
    LOGIN = "login"
    RESET = "reset"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class AcceptedCode:
    """A code that was right. `use` deletes it; the transaction with it fails if the code was used meanwhile."""

    use: WriteOperation


class Codes:
    """The codes of one stage, under a ring of `peppers`, the current one first. Every method raises Unavailable."""

    def __init__(self, database: Database, peppers: tuple[bytes, ...]) -> None:
        self._database = database
        self._peppers = peppers

    async def issue(self, purpose: CodePurpose, identity: str, now: Micros, *, confirms: str = "") -> str:
        """A new code, in the place of an earlier one. One write. It is right only for what it `confirms`.

        A transaction, which is applied once: a repeated write that arrives late would bring a used code back to life.
        """
        code = f"{secrets.randbelow(1_000_000):06}"
        item = {
            **_key(purpose, identity),
            "code": self._digests(purpose, identity, code, confirms)[0],
            "guesses": 0,
            "expires": now + LIFETIME,
            "ttl": (now + LIFETIME) // SECOND + _TTL_SLACK_SECONDS,
        }
        await self._database.transact([put_operation(CHALLENGES, item)])
        return code

    async def accept(
        self, purpose: CodePurpose, identity: str, code: str, now: Micros, *, confirms: str = ""
    ) -> AcceptedCode:
        """The code, if it is right. One write. Raises ApiError 400 for a wrong, used or expired code."""
        key, digests = _key(purpose, identity), self._digests(purpose, identity, code, confirms)
        live = {"guesses": below(MAX_GUESSES), "expires": above(now)}
        try:
            # A repeated request after a lost answer counts twice, to the disadvantage of who guesses.
            item = await self._database.update(CHALLENGES, key, add={"guesses": 1}, expected=live)
        except ConditionFailed:
            raise wrong_code() from None
        if not any(hmac.compare_digest(item["code"], digest) for digest in digests):
            raise wrong_code()
        return AcceptedCode(delete_operation(CHALLENGES, key, expected={"code": item["code"]}))

    def _digests(self, purpose: CodePurpose, identity: str, code: str, confirms: str) -> list[str]:
        text = "\0".join(("code", purpose, identity, code, confirms)).encode()
        return [hmac.new(pepper, text, hashlib.sha256).hexdigest() for pepper in self._peppers]


def wrong_code() -> ApiError:
    """400: the code is wrong, used, expired, or burnt by five guesses; which one is not said."""
    return ApiError(400, "invalid_code", "The code is wrong or has expired. Ask for a new one.")


def _key(purpose: CodePurpose, identity: str) -> Item:
    return {"id": f"code#{purpose}#{identity}"}
