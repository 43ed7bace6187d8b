"""Every command on real tables: what it does, what it prints, how it fails."""

import json

import pytest

from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.keys.secret import is_well_formed
from tests.integration.cli.conftest import CommandLine

UNKNOWN_TENANT = "tnt_" + "0" * 24
DAY = 24 * 60 * 60 * 1_000_000


def test_a_tenant_is_created_listed_and_shown(line: CommandLine) -> None:
    made = line.json("tenants", "create", "--name", "  Blue Kettle ", "--plan", "starter", "--credits", "12.5")

    assert made["tenant_id"].startswith("tnt_")
    assert (made["name"], made["plan"], made["credits"]) == ("Blue Kettle", "starter", "12.5")
    listed = line.json("tenants", "list")
    assert {name: made[name] for name in ("tenant_id", "name", "plan", "created_at")} in listed
    assert [row["created_at"] for row in listed] == sorted(row["created_at"] for row in listed)
    shown = line.json("tenants", "show", "--tenant", made["tenant_id"])
    assert (shown["name"], shown["available"], shown["granted"], shown["held"]) == ("Blue Kettle", "12.5", "12.5", "0")


def test_without_a_name_the_desks_own_tenant_is_meant(line: CommandLine) -> None:
    assert line.json("tenants", "show") == line.json(
        "tenants", "show", "--tenant", line.json("credits", "balance")["tenant_id"]
    )


def test_a_key_is_created_with_every_option(line: CommandLine) -> None:
    tenant = line.tenant()
    words = "--mode test --permissions llm,tts --scopes bots:read --models sandbox --domains *.Example.com,localhost"
    more = "--rpm 30 --budget 2.5 --expires-days 30"

    made = line.json("keys", "create", "--name", "site", *words.split(), *more.split(), "--tenant", tenant)

    secret = made.pop("secret")
    assert is_well_formed(secret)
    assert secret.startswith("cm_test_")
    assert made["permissions"] == ["llm", "tts"]
    assert (made["scopes"], made["models"]) == (["bots:read"], ["sandbox"])
    assert made["domains"] == ["*.example.com", "localhost"]
    assert (made["rpm"], made["rpm_from_plan"], made["budget"], made["status"]) == (30, False, "2.5", "active")
    key = line.call(secret).key
    assert (key.rpm, key.budget, key.scopes) == (30, 2_500_000, {"bots:read"})
    assert 29.9 * DAY < key.expires - system_clock() <= 30 * DAY
    (listed,) = line.json("keys", "list", "--tenant", tenant)
    assert listed == made


def test_a_key_without_options_may_do_all_that_the_plan_does(line: CommandLine) -> None:
    made = line.json("keys", "create", "--name", "all", "--tenant", line.tenant("starter"))

    assert (made["rpm"], made["rpm_from_plan"], made["budget"], made["expires_at"]) == (500, True, None, None)
    assert (made["permissions"], made["scopes"], made["models"], made["domains"]) == (["*"], [], ["*"], ["*"])


def test_a_person_sees_the_secret_once_and_is_warned(line: CommandLine) -> None:
    tenant = line.tenant()

    result = line.run("keys", "create", "--name", "once", "--tenant", tenant)

    secret = result.stdout.split("secret ")[1].split()[0]
    assert is_well_formed(secret)
    assert "shown this once" in result.stderr
    listing = line.run("keys", "list", "--tenant", tenant)
    assert "once" in listing.stdout
    assert secret not in listing.stdout
    assert line.call(secret).tenant == tenant


def test_a_revoked_key_stays_listed_and_is_refused(line: CommandLine) -> None:
    tenant = line.tenant()
    made = line.json("keys", "create", "--name", "gone", "--tenant", tenant)

    assert line.json("keys", "revoke", made["id"], "--tenant", tenant)["status"] == "revoked"
    assert line.json("keys", "revoke", made["id"], "--tenant", tenant)["status"] == "revoked"

    with pytest.raises(ApiError):
        line.call(made["secret"])
    assert [key["status"] for key in line.json("keys", "list", "--tenant", tenant)] == ["revoked"]


def test_rotation_keeps_the_key_and_changes_the_secret(line: CommandLine) -> None:
    tenant = line.tenant()
    made = line.json("keys", "create", "--name", "turn", "--tenant", tenant)

    second = line.json("keys", "rotate", made["id"], "--overlap-minutes", "5", "--tenant", tenant)
    assert (second["id"], second["secrets"]) == (made["id"], 2)
    assert line.call(made["secret"]).key_id == line.call(second["secret"]).key_id == made["id"]

    third = line.json("keys", "rotate", made["id"], "--tenant", tenant)
    assert third["secrets"] == 1
    for ended in (made, second):
        with pytest.raises(ApiError):
            line.call(ended["secret"])
    assert line.call(third["secret"]).tenant == tenant


def test_a_grant_under_one_name_grants_once(line: CommandLine) -> None:
    tenant = line.tenant(credits="0")
    words = ("credits", "grant", "0.000001", "--operation-id", "june", "--description", "hello", "--tenant", tenant)

    first, again = line.json(*words), line.run(*words, "--json")

    assert (first["granted"], first["amount"], first["available"]) == (True, "0.000001", "0.000001")
    assert "carried out before" in again.stderr
    assert json.loads(again.stdout) == first | {"granted": False, "amount": "0"}
    (entry,) = line.json("credits", "entries", "--tenant", tenant)
    assert (entry["type"], entry["amount"], entry["description"], entry["reference"]) == (
        "admin",
        "0.000001",
        "hello",
        "june",
    )


def test_a_grant_without_a_name_gets_one_of_its_own(line: CommandLine) -> None:
    tenant = line.tenant(credits="0")

    names = {line.json("credits", "grant", "1", "--tenant", tenant)["operation_id"] for _ in range(2)}

    assert len(names) == 2
    assert line.json("credits", "balance", "--tenant", tenant)["available"] == "2"


def test_the_balance_is_what_calls_left(line: CommandLine) -> None:
    tenant = line.tenant(credits="100")
    line.settle(tenant, "lab-chat", 1_500_000)

    balance = line.json("credits", "balance", "--tenant", tenant)

    assert (balance["available"], balance["spent"], balance["spent_ever"], balance["held"]) == (
        "98.5",
        "1.5",
        "1.5",
        "0",
    )
    assert balance["quotas_left"]["llm"] == 49_999
    assert balance["budget"] is None


def test_the_balance_of_an_enterprise_sums_its_shards(line: CommandLine) -> None:
    tenant = line.tenant("enterprise", "100")

    assert line.json("credits", "balance", "--tenant", tenant)["available"] == "100"


def test_entries_come_in_pages_newest_first(line: CommandLine) -> None:
    tenant = line.tenant(credits="100")
    calls = [line.settle(tenant, f"model-{n}", n) for n in range(1, 4)]

    first = line.run("credits", "entries", "--limit", "2", "--json", "--tenant", tenant)
    page = json.loads(first.stdout)
    assert [entry["id"] for entry in page] == calls[:0:-1]
    assert [entry["amount"] for entry in page] == ["-0.000003", "-0.000002"]
    assert f"--before {calls[1]}" in first.stderr

    rest = line.json("credits", "entries", "--before", calls[1], "--tenant", tenant)
    assert [entry["type"] for entry in rest] == ["deduction", "admin"]


def test_the_tail_shows_calls_newest_last(line: CommandLine) -> None:
    tenant = line.tenant(credits="100")
    calls = [line.settle(tenant, f"model-{n}", n) for n in range(1, 4)]

    result = line.run("usage", "tail", "--limit", "2", "--json", "--tenant", tenant)

    rows = [json.loads(text) for text in result.stdout.splitlines()]
    assert [row["id"] for row in rows] == [f"gen_{call}" for call in calls[1:]]
    told = {name: rows[-1][name] for name in ("model", "provider", "tokens_in", "tokens_out", "cost", "latency_ms")}
    assert told == {
        "model": "model-3",
        "provider": "lab",
        "tokens_in": 13,
        "tokens_out": 7,
        "cost": "0.000003",
        "latency_ms": 321,
    }
    table = line.run("usage", "tail", "--tenant", tenant).stdout.splitlines()
    assert table[0].split() == ["time", "id", "model", "provider", "in", "out", "cost", "ms", "outcome"]
    assert [text.split()[2] for text in table[1:]] == ["model-1", "model-2", "model-3"]


@pytest.mark.parametrize(
    "words",
    [
        ("tenants", "list"),
        ("tenants", "show"),
        ("keys", "list"),
        ("credits", "balance"),
        ("credits", "entries"),
        ("usage", "tail"),
        ("events", "emit", "credits.low"),
    ],
)
def test_people_get_tables(line: CommandLine, words: tuple[str, ...]) -> None:
    result = line.run(*words)

    assert result.exit_code == 0
    assert result.stdout.strip()
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.stdout)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tenants", "show", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("tenants", "create", "--name", " "), "A name has 1 to 255 characters"),
        (("keys", "create", "--name", "x", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("keys", "create", "--name", "x", "--rpm", "0"), "A rate limit is 1 to 60000"),
        (("keys", "create", "--name", "x", "--permissions", "llm,[red]fly"), "'[red]fly' is not a permission."),
        (("keys", "create", "--name", "x", "--domains", "https://example.com"), "is not a host name"),
        (("keys", "create", "--name", "x", "--permissions", ""), "A key needs at least one permission"),
        (("keys", "create", "--name", "x", "--domains", ""), "'allowed_domains' has 1 to 50 names"),
        (("keys", "create", "--name", "x", "--models", " , "), "'allowed_models' has 1 to 50 names"),
        (("keys", "revoke", "key_0"), "No such key."),
        (("keys", "rotate", "key_0"), "No such key."),
        (("credits", "grant", "1", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("credits", "balance", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("credits", "entries", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("usage", "tail", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("events", "emit", "credits.low", "--tenant", UNKNOWN_TENANT), "No such tenant."),
    ],
)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_refusal_is_one_line(line: CommandLine, words: tuple[str, ...], message: str, json_wanted: bool) -> None:
    result = line.run(*words, *(["--json"] if json_wanted else []))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("callmissed: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("tenants", "create"),
        ("tenants", "create", "--name", "x", "--plan", "platinum"),
        ("tenants", "create", "--name", "x", "--credits", "0.0000001"),
        ("keys", "create", "--name", "x", "--budget", "NaN"),
        ("keys", "create", "--name", "x", "--budget", "-1"),
        ("keys", "create", "--name", "x", "--mode", "both"),
        ("keys", "rotate", "key_0", "--overlap-minutes", "1441"),
        ("credits", "grant", "many"),
        ("credits", "grant", "0"),
        ("credits", "entries", "--limit", "0"),
        ("usage", "head"),
        ("events", "emit"),
        ("events", "emit", "credits.*"),
    ],
)
def test_wrong_words_are_a_usage_error(line: CommandLine, words: tuple[str, ...]) -> None:
    result = line.run(*words)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr
