"""A state folder as the local stack leaves it, and a command line that works on it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callmissed.settings import CoreSettings
from local.aws.account import REGION, STAGE
from local.aws.tables import StageTables, create_tables
from local.fakes.cashfree.fake import FakeCashfree
from local.state.folder import Announcement, LocalSecrets, StateFolder
from tests.support.billing.gateway_account import GATEWAY_ACCOUNT, SECRET_KEY
from tests.support.cli import PEPPER, CommandLine
from tests.support.operator_gateway import serving_operators


@pytest.fixture(scope="session")
def line(dynamodb_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line of a stack that serves the routes of operators, with a tenant of its own."""
    create_tables(StageTables(dynamodb_endpoint, STAGE))
    with command_line(dynamodb_endpoint, tmp_path_factory.mktemp("cli")) as line:
        yield line


@pytest.fixture(scope="module")
def cashfree() -> Iterator[FakeCashfree]:
    """The stand-in for the payment gateway, whose account is in the environment."""
    with pytest.MonkeyPatch.context() as patch, FakeCashfree(secret_key=SECRET_KEY).serving() as cashfree:
        for name, value in GATEWAY_ACCOUNT.items():
            patch.setenv(name, value)
        yield cashfree


@pytest.fixture(scope="module")
def paying_line(
    line: CommandLine, cashfree: FakeCashfree, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """The command line of a stack on the same tables, in which orders can be paid."""
    with command_line(line.endpoint, tmp_path_factory.mktemp("paying"), cashfree_url=cashfree.api_url) as paying:
        yield paying


@contextmanager
def command_line(dynamodb_endpoint: str, parent: Path, *, cashfree_url: str = "") -> Generator[CommandLine]:
    """The command line of a stack on the tables of STAGE, whose payment gateway is at `cashfree_url`."""
    folder = parent / "state"
    folder.mkdir()
    providers = folder / "providers.toml"
    providers.write_text("# none yet\n")
    state, secrets = StateFolder(folder), LocalSecrets(pepper=PEPPER.hex())
    state.store_secrets(secrets)
    settings = CoreSettings(
        stage=STAGE,
        region=REGION,
        dynamodb_endpoint=dynamodb_endpoint,
        peppers=secrets.pepper,
        sealing_keys=secrets.sealing_key,
        providers_file=str(providers),
        cashfree_url=cashfree_url,
        allow_loopback=bool(cashfree_url),
    )
    with serving_operators(settings, secrets) as url:
        announcement = Announcement(
            base_url=url, live_key="", test_key="", tenant_id="", endpoints={"dynamodb": dynamodb_endpoint}
        )
        state.announce(announcement)
        line = CommandLine(dynamodb_endpoint, folder)
        state.announce(announcement.model_copy(update={"tenant_id": line.tenant()}))
        yield line
