"""`callmissed audit` on real tables, and what commands leave there."""

import json

from local.api_gateway.sigv4 import OPERATOR_ARN
from tests.support.cli import CommandLine


def test_the_tail_shows_who_changed_what(line: CommandLine) -> None:
    tenant = line.tenant(credits="12.5")
    key = line.json("keys", "create", "--name", "server", "--reason", "ticket 7", "--tenant", tenant)

    result = line.run("audit", "tail", "--json", "--tenant", tenant)

    rows = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(row["action"], row["actor_id"], row["metadata"]["reason"]) for row in rows] == [
        ("tenant.create", OPERATOR_ARN, "on the local stack"),
        ("credits.grant", OPERATOR_ARN, "on the local stack"),
        ("key.create", OPERATOR_ARN, "ticket 7"),
    ]
    assert rows[-1]["resource_id"] == key["id"]
    assert key["secret"] not in result.stdout
    last = line.run("audit", "tail", "--limit", "1", "--tenant", tenant).stdout.splitlines()
    assert last[0].split()[:2] == ["time", "action"]
    assert max(map(len, last)) <= 80
    assert last[1].split()[1] == "key.create"


def test_every_command_that_changes_something_is_audited(line: CommandLine) -> None:
    tenant = line.tenant(credits="0")
    of_tenant = ("--tenant", tenant)
    key = line.json("keys", "create", "--name", "x", *of_tenant)["id"]
    line.json("keys", "rotate", key, *of_tenant)
    line.json("keys", "revoke", key, *of_tenant)
    line.json("credits", "grant", "1", *of_tenant)
    line.json("events", "emit", "credits.low", *of_tenant)
    words = ("integrations", "set", "twilio", "--auth-token", "0123456789", "--account-sid", tenant)
    line.json(*words, "--phone-number", "+14155550100", *of_tenant)

    rows = [json.loads(text) for text in line.run("audit", "tail", "--json", *of_tenant).stdout.splitlines()]

    assert [row["action"] for row in rows] == [
        *("tenant.create", "key.create", "key.rotate", "key.revoke", "credits.grant"),
        *("event.emit", "settings.update"),
    ]
