"""The signed-in person's own passkeys. The first one makes sign-ins need a second factor."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import delete_operation, update_operation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.tables import TENANTS
from callmissed.tenants.tenants import checked_name
from callmissed.tenants.users import update_user
from callmissed.web.caller import Person
from functions.auth.challenges.challenges import Challenge, ChallengePurpose, Challenges, IssuedChallenge
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.outlet import MailOutlet
from functions.auth.passkeys.relying_party import InvalidCredentialError, NewCredential, RelyingParty
from functions.auth.sessions.service import end_all_but
from functions.auth.two_factor.records import (
    Passkey,
    get_factor,
    list_passkeys,
    passkey_id_of,
    passkey_key,
    passkey_of,
    put_factor,
    put_new_passkey,
)
from functions.auth.two_factor.service import factor_changed

MAX_PASSKEYS = 20

_ID = re.compile(r"psk_[0-9a-f]{24}")


class Passkeys:
    """The passkeys of one stage. Every method raises Unavailable, and ApiError 409 for a concurrent change."""

    def __init__(
        self, database: Database, challenges: Challenges, relying_party: RelyingParty, mails: MailOutlet
    ) -> None:
        self._database = database
        self._mails = mails
        self._challenges = challenges
        self._relying_party = relying_party

    async def list(self, person: Person) -> list[Passkey]:
        """The person's passkeys, oldest first."""
        return await list_passkeys(self._database, person.tenant, person.user_id)

    async def begin(self, person: Person, now: Micros) -> tuple[dict[str, Any], IssuedChallenge]:
        """Options for one more passkey, and their challenge. Raises ApiError 400 above twenty, 503."""
        self._relying_party.require()
        user, factor = await get_factor(self._database, person.tenant, person.user_id)
        if factor.passkeys >= MAX_PASSKEYS:
            raise _too_many()
        known = await self.list(person)
        issued = await self._challenges.issue(ChallengePurpose.NEW_PASSKEY, user, now)
        return self._relying_party.creation_options(user, known, issued.nonce), issued

    async def register(
        self, person: Person, token: str, credential: Mapping[str, Any], name: str, actor: Actor, now: Micros
    ) -> Passkey:
        """Register the credential that answers the options with that token. Raises ApiError 400, 503."""
        self._relying_party.require()
        name = checked_name(name)
        challenge = await self._attempt(token, now)
        user, factor = await get_factor(self._database, person.tenant, person.user_id)
        if not challenge.is_for(user):
            raise _invalid_registration()
        try:
            created = self._relying_party.check_creation(credential, challenge.nonce)
        except InvalidCredentialError:
            raise invalid_request("The passkey could not be verified.", "credential", "invalid_credential") from None
        if factor.passkeys >= MAX_PASSKEYS:
            raise _too_many()
        passkey = _passkey(created, name, now)
        event = AuditEvent(person.tenant, "passkey.create", "passkey", passkey.passkey_id, actor, {"name": name})
        operations = [
            put_new_passkey(person.tenant, person.user_id, passkey),
            challenge.use,
            put_factor(replace(factor, passkeys=factor.passkeys + 1)),
            update_user(user, now, second_factor=True),
            audit_operation(event, now),
        ]
        try:
            await self._database.transact(operations)
        except TransactionCanceled as canceled:
            raise _refusal(canceled) from None
        parameters = {"full_name": user.full_name, "factor": "a passkey"}
        await self._mails.report([MailJob("second_factor_added", user.email, parameters)])
        return passkey

    async def rename(self, person: Person, passkey_id: str, name: str, actor: Actor, now: Micros) -> Passkey:
        """Give the passkey another name. Raises ApiError 400, 404."""
        name = checked_name(name)
        passkey, key = await self._get(person, passkey_id), passkey_key(person.tenant, person.user_id, passkey_id)
        metadata = {"before": {"name": passkey.name}, "after": {"name": name}}
        event = AuditEvent(person.tenant, "passkey.update", "passkey", passkey_id, actor, metadata)
        try:
            await self._database.transact(
                [update_operation(TENANTS, key, set={"name": name}), audit_operation(event, now)]
            )
        except TransactionCanceled:
            raise _not_found() from None
        return replace(passkey, name=name)

    async def delete(self, person: Person, passkey_id: str, actor: Actor, now: Micros) -> None:
        """Delete the passkey, and end the person's other sessions. Raises ApiError 404."""
        passkey, key = await self._get(person, passkey_id), passkey_key(person.tenant, person.user_id, passkey_id)
        user, factor = await get_factor(self._database, person.tenant, person.user_id)
        after = replace(factor, passkeys=factor.passkeys - 1)
        event = AuditEvent(person.tenant, "passkey.delete", "passkey", passkey_id, actor, {"name": passkey.name})
        operations = [
            delete_operation(TENANTS, key),
            put_factor(after),
            *end_all_but(person.session_id, user, now, second_factor=after.is_needed),
            audit_operation(event, now),
        ]
        try:
            await self._database.transact(operations)
        except TransactionCanceled as canceled:
            raise (_not_found() if _failed(canceled, 0) else factor_changed()) from None
        await self._mails.report([MailJob("second_factor_removed", user.email, {"full_name": user.full_name})])

    async def _get(self, person: Person, passkey_id: str) -> Passkey:
        key = passkey_key(person.tenant, person.user_id, passkey_id)
        item = await self._database.get(TENANTS, key) if _ID.fullmatch(passkey_id) else None
        if not item:
            raise _not_found()
        return passkey_of(item)

    async def _attempt(self, token: str, now: Micros) -> Challenge:
        try:
            return await self._challenges.attempt(ChallengePurpose.NEW_PASSKEY, token, now)
        except ApiError:
            raise _invalid_registration() from None


def _passkey(created: NewCredential, name: str, now: Micros) -> Passkey:
    return Passkey(
        passkey_id=passkey_id_of(created.credential_id),
        name=name,
        credential_id=created.credential_id.hex(),
        public_key=created.public_key.hex(),
        sign_count=created.sign_count,
        transports=created.transports,
        created_at=iso(now),
    )


def _refusal(canceled: TransactionCanceled) -> ApiError:
    """Why a registration was cancelled: its first two operations are the passkey and the challenge."""
    if _failed(canceled, 0):
        return invalid_request("This passkey is registered already.", "credential", "passkey_exists")
    return _invalid_registration() if _failed(canceled, 1) else factor_changed()


def _failed(canceled: TransactionCanceled, operation: int) -> bool:
    return canceled.reasons[operation] == "ConditionalCheckFailed"


def _invalid_registration() -> ApiError:
    message = "The registration is invalid or has expired. Ask for new options."
    return invalid_request(message, "registration_token", "invalid_registration_token")


def _too_many() -> ApiError:
    return invalid_request(f"A person has at most {MAX_PASSKEYS} passkeys.", code="too_many_passkeys")


def _not_found() -> ApiError:
    return ApiError(404, "not_found", "No such passkey.")
