"""`callmissed credits` on real tables."""

import json

from tests.support.cli import CommandLine


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


def test_an_adjustment_takes_credits_back_once(line: CommandLine) -> None:
    tenant = line.tenant(credits="5")
    words = ("credits", "adjust", "--credits", "-7.5", "--operation-id", "back", "--tenant", tenant)

    first, again = line.json(*words), line.run(*words, "--json")

    assert (first["adjusted"], first["amount"], first["available"], first["debt"]) == (True, "-7.5", "0", "2.5")
    assert "carried out before" in again.stderr
    assert json.loads(again.stdout)["adjusted"] is False


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
