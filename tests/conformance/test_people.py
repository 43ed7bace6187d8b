"""The ways of people on the running stack: from a registration to a call of `/v1`, and to the audit log of it all."""

import csv
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pyotp.totp import TOTP

from local.api_gateway.sigv4 import OPERATOR_ARN
from tests.support.authenticator import SoftwareAuthenticator
from tests.support.local_stack import LocalStack
from tests.support.visitors import Visitor, as_operator, visiting

PASSWORD = "correct horse battery"
INACTIVE = (403, "account_inactive")
REVOKED = (401, "invalid_api_key")


@pytest.fixture
def ada(stack: LocalStack) -> Iterator[Visitor]:
    with visiting(stack, "ada", "127.0.0.81") as ada:
        yield ada


@pytest.fixture
def grace(stack: LocalStack) -> Iterator[Visitor]:
    with visiting(stack, "grace", "127.0.0.82", user_agent="=1+1") as grace:
        yield grace


@pytest.fixture
def passkeys(stack: LocalStack) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(stack.announcement["localhost_url"])


def register(visitor: Visitor) -> None:
    visitor.post("/auth/register", {"email": f" {visitor.email.title()} ", "password": PASSWORD, "full_name": "Ada"})
    visitor.sign_in("/auth/register/verify", {"email": visitor.email, "code": visitor.code()})


def set_up_app(visitor: Visitor) -> TOTP:
    """An authenticator app whose code of now was used."""
    app = TOTP(visitor.post("/auth/2fa/setup")["secret"])
    assert len(visitor.post("/auth/2fa/enable", {"code": app.now()})["backup_codes"]) == 10
    return app


def challenge(visitor: Visitor) -> dict[str, Any]:
    """The second-factor challenge that a sign-in by password gets."""
    answer = visitor.post("/auth/login", {"email": visitor.email, "password": PASSWORD})
    assert (answer["access_token"], answer["two_factor_required"]) == (None, True)
    return answer


def sign_in_with_app(visitor: Visitor, app: TOTP) -> None:
    challenged = challenge(visitor)
    next_code = app.at(int(time.time()) + app.interval)  # that of now was used
    visitor.sign_in("/auth/2fa/verify", {"challenge_token": challenged["challenge_token"], "code": next_code})


def add_passkey(visitor: Visitor, passkeys: SoftwareAuthenticator) -> None:
    begun = visitor.post("/auth/passkey/register/options")
    created = {"credential": passkeys.create(begun["options"]), "name": "Laptop"}
    visitor.post(f"/auth/passkey/register/verify?registration_token={begun['registration_token']}", created)


def sign_in_with_passkey(visitor: Visitor, passkeys: SoftwareAuthenticator) -> None:
    challenged = challenge(visitor)
    assert challenged["methods"] == ["totp", "passkey"]
    answer = {"credential": passkeys.get(challenged["passkey_options"])}
    visitor.sign_in("/auth/passkey/login/verify", answer | {"challenge_token": challenged["challenge_token"]})


def invite(host: Visitor, guest: Visitor) -> str:
    """The id of the guest, who has read the mail, set a password and signed in."""
    invited = host.post("/users", {"email": guest.email, "full_name": "Grace", "role": "admin"})
    assert "Ada has added you" in guest.mail("invited")["text"]
    guest.post("/auth/otp/send", {"email": guest.email, "purpose": "reset"})
    guest.sign_in("/auth/reset-password", {"email": guest.email, "code": guest.code(), "new_password": PASSWORD})
    return invited["id"]


class ApiClient:
    """The official SDK with the secret of a key."""

    def __init__(self, stack: LocalStack, secret: str) -> None:
        self.secret = secret
        self._sdk = openai.OpenAI(base_url=f"{stack.announcement['base_url']}/v1", api_key=secret, max_retries=0)

    def answers(self) -> bool:
        """Whether a chat gets a reply."""
        reply = self._sdk.chat.completions.create(model="sandbox", messages=[{"role": "user", "content": "Hello"}])
        return bool(reply.choices[0].message.content)

    def refusal(self) -> tuple[int, str | None]:
        """Status and code of the error that a chat gets."""
        with pytest.raises(openai.APIStatusError) as refused:
            self.answers()
        return refused.value.status_code, refused.value.code


def role_of(visitor: Visitor) -> str:
    return visitor.get("/auth/me")["user"]["role"]


def secrets(ada: Visitor, grace: Visitor, app: TOTP, *clients: ApiClient) -> list[str]:
    """What the audit log must not show."""
    tokens = [tokens[name] for tokens in (ada.tokens, grace.tokens) for name in ("access_token", "refresh_token")]
    return [PASSWORD, app.secret, *tokens, *(client.secret for client in clients)]


def audit_log(visitor: Visitor) -> list[dict[str, Any]]:
    """The audit log, oldest first."""
    return visitor.get("/audit/events")[::-1]


def audit_csv(visitor: Visitor) -> list[dict[str, str]]:
    """The whole audit log as a spreadsheet has it, oldest first."""
    exported = visitor.send("GET", "/audit/events.csv")
    assert "x-truncated" not in exported.headers
    return list(csv.DictReader(io.StringIO(exported.text)))[::-1]


def test_the_whole_way(stack: LocalStack, ada: Visitor, grace: Visitor, passkeys: SoftwareAuthenticator) -> None:
    register(ada)
    app = set_up_app(ada)
    ada.sign_out()
    assert ada.send("GET", "/auth/me").status_code == 401
    sign_in_with_app(ada, app)
    add_passkey(ada, passkeys)
    sign_in_with_passkey(ada, passkeys)

    grace_id = invite(ada, grace)
    ada.call("PATCH", f"/users/{grace_id}/role", {"role": "owner"})
    assert (role_of(ada), role_of(grace)) == ("admin", "owner")

    key = grace.post("/keys", {"name": "server"})
    first = ApiClient(stack, key["key"])
    assert first.answers()
    assert 0 < grace.get("/auth/me")["tenant"]["credit_balance"] < 100
    second = ApiClient(stack, grace.post(f"/keys/{key['id']}/rotate", {"overlap_hours": 1})["key"])
    assert first.answers()
    assert second.answers()
    third = ApiClient(stack, grace.post(f"/keys/{key['id']}/rotate")["key"])
    assert first.refusal() == second.refusal() == REVOKED
    assert third.answers()

    tenant = grace.post("/tenants/me/deactivate")["id"]
    assert third.refusal() == ada.refusal("GET", "/auth/me") == grace.refusal("GET", "/keys") == INACTIVE
    grace.post("/tenants/me/reactivate")
    assert third.answers()
    as_operator(stack, f"/tenants/{tenant}/suspend", {"reason": "ticket 7"})
    assert third.refusal() == grace.refusal("GET", "/auth/me") == INACTIVE
    assert grace.refusal("POST", "/tenants/me/reactivate") == INACTIVE
    as_operator(stack, f"/tenants/{tenant}/reactivate", {"reason": "paid"})
    assert third.answers()
    grace.call("DELETE", f"/keys/{key['id']}")
    assert third.refusal() == REVOKED

    ada_id, rows = ada.get("/auth/me")["user"]["id"], audit_log(grace)
    of = {ada_id: ("Ada", "127.0.0.81"), grace_id: ("Grace", "127.0.0.82"), OPERATOR_ARN: ("operator", "127.0.0.1")}
    by = [(*of[row["actor_id"]], row["action"], row["resource_type"]) for row in rows]
    assert by == [
        ("Ada", "127.0.0.81", "user.register", "user"),
        ("Ada", "127.0.0.81", "2fa.enable", "user"),
        ("Ada", "127.0.0.81", "session.end", "session"),
        ("Ada", "127.0.0.81", "session.begin", "user"),
        ("Ada", "127.0.0.81", "passkey.create", "passkey"),
        ("Ada", "127.0.0.81", "session.begin", "user"),
        ("Ada", "127.0.0.81", "user.invite", "user"),
        ("Grace", "127.0.0.82", "password.reset", "user"),
        ("Grace", "127.0.0.82", "session.begin", "user"),
        ("Ada", "127.0.0.81", "role.change", "user"),
        ("Grace", "127.0.0.82", "key.create", "key"),
        ("Grace", "127.0.0.82", "key.rotate", "key"),
        ("Grace", "127.0.0.82", "key.rotate", "key"),
        ("Grace", "127.0.0.82", "tenant.deactivate", "tenant"),
        ("Grace", "127.0.0.82", "tenant.reactivate", "tenant"),
        ("operator", "127.0.0.1", "tenant.suspend", "tenant"),
        ("operator", "127.0.0.1", "tenant.reactivate", "tenant"),
        ("Grace", "127.0.0.82", "key.revoke", "key"),
    ]
    what = {(row["action"], row["resource_id"]): row["metadata"] for row in rows}
    methods = [row["metadata"]["method"] for row in rows if row["action"] == "session.begin"]
    assert methods == ["totp", "passkey", "reset"]
    assert what["user.invite", grace_id] == {"email": grace.email, "role": "admin"}
    assert what["role.change", grace_id] == {"from": "admin", "to": "owner", "ownership_transfer": True}
    assert what["key.create", key["id"]]["after"]["masked"] == key["masked"]
    assert what["tenant.suspend", tenant] == {"before": "active", "after": "suspended", "reason": "ticket 7"}

    lines = audit_csv(grace)
    assert [(line["id"], json.loads(line["metadata_json"])) for line in lines] == [
        (row["id"], row["metadata"]) for row in rows
    ]
    assert {line["user_agent"] for line in lines if line["user_id"] == grace_id} == {"'=1+1"}
    assert not [word for word in secrets(ada, grace, app, first, second, third) if word in f"{rows}{lines}"]


def test_two_tabs_that_refresh_at_once_get_the_same_pair(ada: Visitor) -> None:
    register(ada)
    confirmed = ada.tokens
    ada.sign_in("/auth/login", {"email": ada.email, "password": PASSWORD})

    refreshed, again = [ada.post("/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]}) for _ in range(2)]

    assert refreshed == again
    ada.tokens = refreshed
    ada.sign_out()
    assert ada.send("GET", "/auth/me").status_code == 401
    ada.tokens = confirmed
    assert role_of(ada) == "owner"


def test_code_is_good_once_and_a_password_does_not_come_before_it(ada: Visitor) -> None:
    credentials = {"email": ada.email, "password": PASSWORD}
    ada.post("/auth/register", {**credentials, "full_name": "Ada"})
    assert ada.refusal("POST", "/auth/login", credentials) == (403, "email_not_verified")
    answer = {"email": ada.email, "code": ada.code()}
    ada.post("/auth/register/verify", answer)

    assert ada.refusal("POST", "/auth/register/verify", answer) == (400, "invalid_code")


def test_key_opens_nothing_of_people(stack: LocalStack, ada: Visitor) -> None:
    ada.tokens = {"access_token": stack.announcement["live_key"]}

    assert ada.refusal("GET", "/auth/me") == (401, "invalid_api_key")
