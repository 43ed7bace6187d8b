"""`callmissed keys` on real tables."""

import pytest

from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.keys.secret import is_well_formed
from tests.support.cli import CommandLine

DAY = 24 * 60 * 60 * 1_000_000


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
    assert line.call(secret).key.tenant == tenant


def test_a_key_is_shown_with_every_limit(line: CommandLine) -> None:
    tenant = line.tenant()
    made = line.json("keys", "create", "--name", "one", "--rpm", "30", "--tenant", tenant)
    secret = made.pop("secret")

    assert line.json("keys", "show", made["id"], "--tenant", tenant) == made
    shown = line.run("keys", "show", made["id"], "--tenant", tenant).stdout
    assert "domains" in shown
    assert secret not in shown
    assert line.run("keys", "show", "key_0", "--tenant", tenant).stderr == "callmissed: No such key.\n"


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
    assert line.call(made["secret"]).key.key_id == line.call(second["secret"]).key.key_id == made["id"]

    third = line.json("keys", "rotate", made["id"], "--tenant", tenant)
    assert third["secrets"] == 1
    for ended in (made, second):
        with pytest.raises(ApiError):
            line.call(ended["secret"])
    assert line.call(third["secret"]).key.tenant == tenant
