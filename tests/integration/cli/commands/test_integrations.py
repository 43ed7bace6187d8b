"""`callmissed integrations` on real tables."""

import pytest
from typer.testing import CliRunner

from callmissed.aws.database import Database
from callmissed.integrations.credentials import whatsapp_account
from callmissed.integrations.repository import Integrations
from cli.main import app
from local.aws.account import STAGE
from tests.support.cli import CommandLine

WHATSAPP = ("integrations", "set", "whatsapp", "--access-token", "EAAG-token", "--verify-token", "blue-kettle")
TWILIO = ("integrations", "set", "twilio", "--auth-token", "0123456789")


def test_credentials_are_saved_and_shown_masked(line: CommandLine) -> None:
    tenant = line.tenant()

    saved = line.json(*WHATSAPP, "--phone-number-id", "2001", "--app-secret", "abcdefghij", "--tenant", tenant)
    line.json(*TWILIO, "--account-sid", "AC1", "--phone-number", "+14155550101", "--tenant", tenant)

    shown = line.json("integrations", "show", "--tenant", tenant)
    assert shown["whatsapp"] == saved
    assert saved["app_secret"] == "abcd••••••••ghij"
    assert shown["twilio"] == {
        "account_sid": "AC1",
        "auth_token": "0123••••••••6789",
        "phone_number": "+14155550101",
    }
    found = line.work(lambda dynamodb: Integrations(Database(dynamodb, STAGE)).find(whatsapp_account("2001")))
    assert found is not None
    assert found.tenant == tenant


def test_without_an_app_secret_a_person_is_warned(line: CommandLine) -> None:
    words = (*WHATSAPP, "--phone-number-id", "2002", "--tenant", line.tenant())

    assert "all are refused" in line.run(*words).stderr
    assert line.run(*words, "--allow-unsigned").stderr == ""


def test_secrets_are_asked_for_and_not_echoed(line: CommandLine) -> None:
    words = ("integrations", "set", "whatsapp", "--phone-number-id", "2003", "--tenant", line.tenant())
    where = ("--state", str(line.state))

    asked = CliRunner().invoke(app, [*words, *where], input="EAAG-typed-token\nkettle-typed\n")
    given = CliRunner(env={"WHATSAPP_ACCESS_TOKEN": "a" * 12, "WHATSAPP_VERIFY_TOKEN": "b" * 12}).invoke(
        app, [*words, *where]
    )

    assert (asked.exit_code, given.exit_code) == (0, 0)
    assert "typed-token" not in asked.output
    assert "EAAG••••••••oken" in asked.output
    assert "aaaa••••••••aaaa" in given.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((*WHATSAPP, "--phone-number-id", ""), "--phone-number-id: String should have at least 1 character."),
        ((*TWILIO, "--account-sid", "AC1", "--phone-number", "0415"), "--phone-number: "),
        ((*TWILIO, "--account-sid", "AC1", "--phone-number", "+1415", "--tenant", "tnt_none"), "No such tenant."),
    ],
)
def test_what_can_not_be_saved_is_one_line(line: CommandLine, words: tuple[str, ...], reason: str) -> None:
    result = line.run(*words)

    assert result.exit_code == 1
    assert reason in result.stderr
    assert "0123456789" not in result.output
    assert result.stderr.count("\n") == 1


def test_another_tenants_number_is_refused(line: CommandLine) -> None:
    words = (*WHATSAPP, "--phone-number-id", "2004", "--allow-unsigned")
    line.json(*words, "--tenant", line.tenant())

    result = line.run(*words, "--tenant", line.tenant())

    assert (result.exit_code, result.stderr) == (1, "callmissed: This number is connected to another tenant.\n")


def test_a_tenant_without_integrations_has_none_to_show(line: CommandLine) -> None:
    tenant = line.tenant()

    shown = line.run("integrations", "show", "--tenant", tenant)

    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "No number is connected.\n")
    assert line.json("integrations", "show", "--tenant", tenant) == {}
