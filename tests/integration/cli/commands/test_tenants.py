"""`callmissed tenants` on real tables."""

import pytest

from callmissed.errors import ApiError
from tests.support.cli import CommandLine


def test_a_tenant_is_created_listed_and_shown(line: CommandLine) -> None:
    made = line.json("tenants", "create", "--name", "  Blue Kettle ", "--plan", "starter", "--credits", "12.5")

    assert made["tenant_id"].startswith("tnt_")
    assert (made["name"], made["plan"], made["credits"]) == ("Blue Kettle", "starter", "12.5")
    listed = line.json("tenants", "list")
    assert {name: made[name] for name in ("tenant_id", "name", "plan", "status", "created_at")} in listed
    assert [row["created_at"] for row in listed] == sorted(row["created_at"] for row in listed)
    shown = line.json("tenants", "show", "--tenant", made["tenant_id"])
    assert (shown["name"], shown["available"], shown["granted"], shown["held"]) == ("Blue Kettle", "12.5", "12.5", "0")


def test_without_a_name_the_local_stacks_own_tenant_is_meant(line: CommandLine) -> None:
    assert line.json("tenants", "show") == line.json(
        "tenants", "show", "--tenant", line.json("credits", "balance")["tenant_id"]
    )


def test_tenant_is_suspended_and_reactivated(line: CommandLine) -> None:
    tenant = line.tenant()
    secret = line.json("keys", "create", "--tenant", tenant, "--name", "t")["secret"]

    assert line.json("tenants", "suspend", "--tenant", tenant, "--reason", "unpaid")["status"] == "suspended"
    with pytest.raises(ApiError) as refused:
        line.call(secret)
    assert refused.value.code == "account_inactive"
    assert line.run("keys", "create", "--tenant", tenant, "--name", "t").exit_code == 1

    assert line.json("tenants", "reactivate", "--tenant", tenant, "--reason", "paid")["status"] == "active"
    assert line.call(secret).key.tenant == tenant


def test_tenant_is_put_on_a_plan_with_its_keys(line: CommandLine) -> None:
    tenant = line.tenant()
    secret = line.json("keys", "create", "--tenant", tenant, "--name", "t")["secret"]

    given = line.json("tenants", "set-plan", "pro", "--tenant", tenant, "--reason", "agreed")

    assert (given["plan"], given["status"], given["ends_at"]) == ("pro", "active", None)
    assert line.json("tenants", "show", "--tenant", tenant)["plan"] == "pro"
    assert line.call(secret).key.plan == "pro"
    late = line.run(
        "tenants", "set-plan", "pro", "--tenant", tenant, "--reason", "r", "--until", "2020-01-01T00:00:00Z"
    )
    assert late.exit_code == 1
