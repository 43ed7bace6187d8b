"""A state folder as the local stack leaves it, and a command line that works on it."""

import pytest

from local.aws.account import STAGE
from local.aws.tables import StageTables, create_tables
from local.state.folder import Announcement, LocalSecrets, StateFolder
from tests.support.cli import PEPPER, CommandLine


@pytest.fixture(scope="session")
def line(dynamodb_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line of a stack that says it runs, with a tenant of its own."""
    create_tables(StageTables(dynamodb_endpoint, STAGE))
    folder = tmp_path_factory.mktemp("cli") / "state"
    folder.mkdir()
    state = StateFolder(folder)
    state.store_secrets(LocalSecrets(pepper=PEPPER.hex()))
    announcement = Announcement(
        base_url="http://127.0.0.1:1", live_key="", test_key="", tenant_id="", endpoints={"dynamodb": dynamodb_endpoint}
    )
    state.announce(announcement)
    line = CommandLine(dynamodb_endpoint, folder)
    state.announce(announcement.model_copy(update={"tenant_id": line.tenant()}))
    return line
