"""Settings: which variables name what, and peppers that are peppers."""

import re
from dataclasses import FrozenInstanceError, asdict

import pytest

from callmissed.aws import secrets
from callmissed.aws.secrets import pepper_ring, provider_environment
from callmissed.settings import CoreSettings, aws_credentials, from_environment

ONE, OTHER = b"pepper of sixteen bytes"[:16], b"another pepper, longer than sixteen bytes"
NO_PEPPER = re.compile("at least one pepper|hexadecimal")
NAME = "callmissed/prod/peppers"


class SecretsManager:
    """Stands for Secrets Manager, which only a deployed process may ask."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []

    def read(self, arn: str, region: str) -> str:
        self.asked.append((arn, region))
        return self.texts[arn]


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    """Nothing is remembered of another test's secrets."""
    pepper_ring.cache_clear()
    provider_environment.cache_clear()


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> SecretsManager:
    secrets_manager = SecretsManager()
    monkeypatch.setattr(secrets, "read_secret", secrets_manager.read)
    return secrets_manager


def test_an_empty_environment_is_the_local_stacks() -> None:
    assert from_environment({}) == CoreSettings()
    assert (CoreSettings().stage, CoreSettings().region, CoreSettings().dynamodb_endpoint) == (
        "local",
        "ap-south-1",
        None,
    )


@pytest.mark.parametrize(
    "name",
    ["stage", "dynamodb_endpoint", "peppers", "pepper_secret_name", "providers_file", "provider_keys_secret_name"],
)
def test_a_setting_is_read_from_its_variable(name: str) -> None:
    assert asdict(from_environment({f"CALLMISSED_{name.upper()}": "given"})) == asdict(CoreSettings()) | {name: "given"}


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, "ap-south-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "ap-south-1"),
    ],
)
def test_the_region_is_awss_own(environment: dict[str, str], region: str) -> None:
    assert from_environment(environment).region == region


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    found = from_environment({"CALLMISSED_STAGE": "", "CALLMISSED_DYNAMODB_ENDPOINT": ""})

    assert (found.stage, found.dynamodb_endpoint) == ("local", None)


def test_without_a_mapping_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLMISSED_STAGE", "blue")

    assert from_environment().stage == "blue"


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        CoreSettings().stage = "other"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("text", "value"), [("1", True), ("True", True), ("0", False), ("false", False)])
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    assert from_environment({"CALLMISSED_ALLOW_LOOPBACK": text}).allow_loopback is value


def test_a_number_is_a_number() -> None:
    assert from_environment({"CALLMISSED_LOW_CREDITS": "200"}).low_credits == 200


@pytest.mark.parametrize("variable", ["CALLMISSED_ALLOW_LOOPBACK", "CALLMISSED_LOW_CREDITS"])
def test_a_wrong_variable_is_named(variable: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} can't be 'perhaps'"):
        from_environment({variable: "perhaps"})


@pytest.mark.parametrize(
    ("text", "ring"),
    [
        (ONE.hex(), (ONE,)),
        (f"{OTHER.hex()},{ONE.hex()}", (OTHER, ONE)),
        (f"{ONE.hex()},{OTHER.hex()}", (ONE, OTHER)),
        (f" {ONE.hex().upper()} , \n{OTHER.hex()} ,", (ONE, OTHER)),
    ],
)
def test_peppers_stand_in_order_the_current_one_first(text: str, ring: tuple[bytes, ...]) -> None:
    assert pepper_ring(CoreSettings(peppers=text)) == ring


@pytest.mark.parametrize(
    "text", ["", " ", ",", ONE[:15].hex(), f"{ONE.hex()},{ONE[:15].hex()}", ONE.hex()[:-1], "g" * 32, "pepper", "0x00"]
)
def test_bad_peppers_stop_the_start(text: str) -> None:
    with pytest.raises(ValueError, match=NO_PEPPER):
        _ = pepper_ring(CoreSettings(peppers=text))


@pytest.mark.parametrize("text", [ONE[:15].hex(), "g" * 31 + "7"])
def test_a_bad_pepper_is_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=NO_PEPPER) as refused:
        _ = pepper_ring(CoreSettings(peppers=text))

    assert text not in str(refused.value)


def test_a_deployed_process_reads_its_peppers_from_the_secret_once(secrets_manager: SecretsManager) -> None:
    secrets_manager.texts[NAME] = f"{ONE.hex()},{OTHER.hex()}"
    settings = CoreSettings(pepper_secret_name=NAME, region="eu-west-1")

    assert pepper_ring(settings) == pepper_ring(settings) == (ONE, OTHER)
    assert secrets_manager.asked == [(NAME, "eu-west-1")]


def test_peppers_of_the_environment_come_before_the_secret(secrets_manager: SecretsManager) -> None:
    assert pepper_ring(CoreSettings(peppers=ONE.hex(), pepper_secret_name=NAME)) == (ONE,)
    assert secrets_manager.asked == []


def test_an_empty_secret_is_no_pepper(secrets_manager: SecretsManager) -> None:
    secrets_manager.texts[NAME] = ""

    with pytest.raises(ValueError, match="at least one pepper"):
        _ = pepper_ring(CoreSettings(pepper_secret_name=NAME))


def test_provider_keys_are_looked_up_in_the_secret_and_then_in_the_environment(
    secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", "from the environment")
    monkeypatch.setenv("OTHER_API_KEY", "from the environment")
    secrets_manager.texts[NAME] = '{"LAB_API_KEY": "from the secret"}'

    plain, deployed = CoreSettings(), CoreSettings(provider_keys_secret_name=NAME)

    assert provider_environment(plain)["LAB_API_KEY"] == "from the environment"
    assert provider_environment(deployed)["LAB_API_KEY"] == "from the secret"
    assert provider_environment(deployed)["OTHER_API_KEY"] == "from the environment"
    assert len(secrets_manager.asked) == 1


def test_an_empty_secret_holds_no_provider_keys(
    secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", "from the environment")
    secrets_manager.texts[NAME] = ""

    assert provider_environment(CoreSettings(provider_keys_secret_name=NAME))["LAB_API_KEY"] == "from the environment"


@pytest.mark.parametrize(
    ("environment", "credentials"),
    [
        ({}, None),
        ({"AWS_ACCESS_KEY_ID": "id"}, None),
        ({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": ""}, None),
        ({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}, ("id", "secret", None)),
        (
            {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"},
            ("id", "secret", "token"),
        ),
        (
            {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s", "AWS_CREDENTIAL_EXPIRATION": "2026-11-16T00:00Z"},
            None,
        ),
    ],
)
def test_lasting_credentials_are_the_environments(
    environment: dict[str, str], credentials: tuple[str, str, str | None] | None
) -> None:
    assert aws_credentials(environment) == credentials


def test_secrets_are_not_shown_with_the_other_settings() -> None:
    shown = repr(CoreSettings(stage="prod", peppers="70" * 16, sealing_keys="5e" * 32))

    assert "prod" in shown
    assert "70" * 16 not in shown
    assert "5e" * 32 not in shown
