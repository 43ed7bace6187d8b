"""A state folder as the local stack leaves it, and a command line that works on it."""

from collections.abc import Iterator

import pytest

from callmissed.settings import CoreSettings
from local.aws.account import REGION, STAGE
from local.aws.tables import StageTables, create_tables
from local.state.folder import Announcement, LocalSecrets, StateFolder
from tests.support.cli import PEPPER, CommandLine
from tests.support.operator_gateway import serving_operators


@pytest.fixture(scope="session")
def line(dynamodb_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line of a stack that serves the routes of operators, with a tenant of its own."""
    create_tables(StageTables(dynamodb_endpoint, STAGE))
    folder = tmp_path_factory.mktemp("cli") / "state"
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
    )
    with serving_operators(settings, secrets) as url:
        announcement = Announcement(
            base_url=url, live_key="", test_key="", tenant_id="", endpoints={"dynamodb": dynamodb_endpoint}
        )
        state.announce(announcement)
        line = CommandLine(dynamodb_endpoint, folder)
        state.announce(announcement.model_copy(update={"tenant_id": line.tenant()}))
        yield line
