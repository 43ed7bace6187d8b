"""The second step of a sign-in by a passkey."""

from collections.abc import Mapping
from typing import Any

from callmissed.audit.events import Actor
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.clock import Micros, iso
from callmissed.platform.tables import TENANTS
from callmissed.tenants.users import User
from functions.auth.passkeys.relying_party import InvalidCredentialError, RelyingParty, credential_id_of
from functions.auth.sign_in.completion import SignedIn
from functions.auth.two_factor.records import Passkey, passkey_id_of, passkey_key, passkey_of
from functions.auth.two_factor.service import factor_changed
from functions.auth.two_factor.verification import SecondStep


class PasskeyVerification:
    """Completes sign-ins by passkeys. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, step: SecondStep, relying_party: RelyingParty) -> None:
        self._database = database
        self._step = step
        self._relying_party = relying_party

    async def verify(self, token: str, credential: Mapping[str, Any], client: Actor, now: Micros) -> SignedIn:
        """Sign in with a passkey of the person. Raises ApiError 400, 401, 403, 409, 429, 503."""
        self._relying_party.require()
        challenge = await self._step.begin(token, now)
        user, _ = await self._step.read(challenge)
        try:
            passkey = await self._find(user, credential)
            count = self._relying_party.check_request(credential, challenge.nonce, user.user_id, passkey)
        except InvalidCredentialError:
            raise await self._step.refuse(challenge, client, "passkey", now) from None
        used = _use(user, passkey, count, now)
        signed_in = await self._step.complete(challenge, user, used, client, "passkey", now)
        if signed_in is None:
            raise factor_changed()
        return signed_in

    async def _find(self, user: User, credential: Mapping[str, Any]) -> Passkey:
        credential_id = credential_id_of(credential)
        key = passkey_key(user.tenant, user.user_id, passkey_id_of(credential_id))
        item = await self._database.get(TENANTS, key)
        if not item or item["credential_id"] != credential_id.hex():
            raise InvalidCredentialError
        return passkey_of(item)


def _use(user: User, passkey: Passkey, sign_count: int, now: Micros) -> WriteOperation:
    key, unchanged = passkey_key(user.tenant, user.user_id, passkey.passkey_id), {"sign_count": passkey.sign_count}
    return update_operation(TENANTS, key, set={"sign_count": sign_count, "last_used_at": iso(now)}, expected=unchanged)
