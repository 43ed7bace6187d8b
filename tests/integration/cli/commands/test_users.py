"""`callmissed users` on real tables."""

from typing import Any

import pytest

from callmissed.aws.queues import SqsQueue
from tests.support.cli import CommandLine
from tests.support.teams import Mails


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The jobs of mails that commands send."""
    queue = Mails()
    monkeypatch.setattr(SqsQueue, "send", lambda _, messages: queue.send(messages))
    return queue.sent


def invite(line: CommandLine, tenant: str, name: str, *more: str) -> Any:
    email = f"{name}@{tenant.replace('_', '-')}.example.com"
    return line.json("users", "invite", "--tenant", tenant, "--email", email, "--name", name, *more)


def test_first_person_of_a_tenant_owns_it(line: CommandLine, mails: list[dict[str, Any]]) -> None:
    tenant = line.tenant()

    owner, admin, agent = (
        invite(line, tenant, "ada"),
        invite(line, tenant, "grace", "--role", "admin"),
        invite(line, tenant, "joan"),
    )

    assert [person["role"] for person in (owner, admin, agent)] == ["owner", "admin", "agent"]
    assert line.json("users", "list", "--tenant", tenant) == [owner, admin, agent]
    assert [(mail["template"], mail["to"]) for mail in mails] == [
        ("invitation", person["email"]) for person in (owner, admin, agent)
    ]


def test_person_is_deactivated_but_never_the_owner(line: CommandLine, mails: list[dict[str, Any]]) -> None:
    tenant = line.tenant()
    owner, agent = invite(line, tenant, "ada"), invite(line, tenant, "grace")

    assert line.json("users", "deactivate", agent["id"], "--tenant", tenant)["is_active"] is False
    refused = line.run("users", "deactivate", owner["id"], "--tenant", tenant)

    assert refused.exit_code == 1
    assert "Transfer the ownership" in refused.stderr
    assert len(mails) == 2


def test_address_of_another_tenant_is_refused(line: CommandLine, mails: list[dict[str, Any]]) -> None:
    tenant = line.tenant()
    owner = invite(line, tenant, "ada")

    refused = line.run("users", "invite", "--tenant", line.tenant(), "--email", owner["email"], "--name", "Ada")

    assert (refused.exit_code, len(mails)) == (1, 1)
    assert "another organisation" in refused.stderr
