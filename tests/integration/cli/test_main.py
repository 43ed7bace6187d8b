"""Every command on real tables: tables for people, and errors in one line."""

import json

import pytest

from tests.support.cli import CommandLine

UNKNOWN_TENANT = "tnt_" + "0" * 24


@pytest.mark.parametrize(
    "words",
    [
        ("tenants", "list"),
        ("tenants", "show"),
        ("keys", "list"),
        ("credits", "balance"),
        ("credits", "entries"),
        ("usage", "tail"),
        ("audit", "tail"),
        ("events", "emit", "credits.low"),
        ("webhooks", "list"),
    ],
)
def test_people_get_tables(line: CommandLine, words: tuple[str, ...]) -> None:
    result = line.run(*words)

    assert result.exit_code == 0
    assert result.stdout.strip()
    assert max(map(len, result.stdout.splitlines())) <= 80
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
        (("keys", "create", "--name", "x", "--domains", "https://example.com/page"), "is not a host name"),
        (("keys", "create", "--name", "x", "--permissions", ""), "A key needs at least one permission"),
        (("keys", "create", "--name", "x", "--domains", ""), "'allowed_domains' has 1 to 50 names"),
        (("keys", "create", "--name", "x", "--models", " , "), "'allowed_models' has 1 to 50 names"),
        (("keys", "revoke", "key_0"), "No such key."),
        (("keys", "rotate", "key_0"), "No such key."),
        (("webhooks", "delete", "wh_0"), "No such webhook."),
        (("webhooks", "deliveries", "wh_0"), "No such webhook."),
        (("webhooks", "list", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("webhooks", "listen", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("credits", "grant", "1", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("credits", "balance", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("credits", "entries", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("usage", "tail", "--tenant", UNKNOWN_TENANT), "No such tenant."),
        (("audit", "tail", "--tenant", UNKNOWN_TENANT), "No such tenant."),
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
        ("webhooks", "listen", "--event", "nonsense.*"),
    ],
)
def test_wrong_words_are_a_usage_error(line: CommandLine, words: tuple[str, ...]) -> None:
    result = line.run(*words)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr
