"""People with a second factor, who sign in on the public pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyotp.totp import TOTP

from callmissed.clock import SECOND
from callmissed.platform.tables import TENANTS
from callmissed.tenants.users import User, user_key, user_of
from functions.auth.sessions.service import TokenPair
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.people import SignedIn, new_owner_with_password, sign_in
from tests.support.sign_in import SignInPages, body_of
from tests.support.whole_product import Reply


@dataclass
class FactorOwner:
    """A person with a session, and the app that makes the person's codes."""

    pages: SignInPages
    person: SignedIn
    secret: str = ""
    backup_codes: list[str] = field(default_factory=list[str])

    @property
    def email(self) -> str:
        return self.person.user.email

    def code(self, *, steps: int = 0) -> str:
        """The app's code, `steps` of 30 seconds from now."""
        return TOTP(self.secret).at(self.pages.clock.now // SECOND + 30 * steps)

    def wrong_code(self) -> str:
        """Six digits that are no code of the minutes around now."""
        near = {self.code(steps=steps) for steps in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        return await self.person.call(method, f"/api/v1/auth/{path}", body)

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        return body_of(await self.call("POST", path, {} if body is None else body))

    async def get(self, path: str) -> Any:
        return json.loads((await self.call("GET", path)).body)

    async def enable(self) -> None:
        """Set up the app. The clock moves on, so that the next code is a new one."""
        self.secret = (await self.post("2fa/setup"))["secret"]
        self.backup_codes = (await self.post("2fa/enable", {"code": self.code()}))["backup_codes"]
        self.pages.clock.pass_seconds(90)

    async def challenge(self) -> dict[str, Any]:
        """The challenge of a sign-in by password."""
        challenge = body_of(await self.pages.login(self.email))
        assert challenge["two_factor_required"]
        return challenge

    async def answer(self, challenge: Mapping[str, Any], code: str) -> Reply:
        return await self.pages.post("2fa/verify", {"challenge_token": challenge["challenge_token"], "code": code})

    async def present(self, challenge: Mapping[str, Any], credential: Mapping[str, Any]) -> Reply:
        """The reply to an answer by passkey."""
        body = {"challenge_token": challenge["challenge_token"], "credential": credential}
        return await self.pages.post("passkey/login/verify", body)

    async def register(self, begun: Mapping[str, Any], credential: Mapping[str, Any], **more: Any) -> Reply:
        """The reply to a credential that answers the options of a registration."""
        query, body = f"registration_token={begun['registration_token']}", {"credential": credential, **more}
        return await self.person.call("POST", "/api/v1/auth/passkey/register/verify", body, query=query)

    async def add_passkey(self, authenticator: SoftwareAuthenticator, name: str = "Passkey") -> dict[str, Any]:
        """A new passkey of the person."""
        begun = await self.post("passkey/register/options")
        return body_of(await self.register(begun, authenticator.create(begun["options"]), name=name))

    async def user(self) -> User:
        """The person's item as it is now."""
        key = user_key(self.person.tenant, self.person.user.user_id)
        return user_of(await self.pages.database.get(TENANTS, key))

    async def other_session(self) -> SignedIn:
        """One more session, begun as of now."""
        return await sign_in(self.pages.product, await self.user())

    async def actions(self) -> list[str]:
        return [action for action, _ in await self.pages.actions(self.person.tenant)]


async def new_factor_owner(pages: SignInPages) -> FactorOwner:
    """A person with a password and without second factor."""
    user = await new_owner_with_password(pages.database, pages.clock())
    return FactorOwner(pages, await sign_in(pages.product, user))


def tokens_of(reply: Reply) -> TokenPair:
    """The tokens of a completed sign-in."""
    body = body_of(reply)
    assert not body["two_factor_required"]
    return TokenPair(body["access_token"], body["refresh_token"])
