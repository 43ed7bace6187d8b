"""The stage that a command works on: the local stack's, by its state folder, or a deployed one, by its name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.credentials import Credentials

from callmissed.aws.database import Database
from callmissed.platform.resources import PEPPERS, SEALING_KEYS
from callmissed.settings import CoreSettings
from cli.errors import CommandError

if TYPE_CHECKING:
    from local.state.folder import Announcement, StateFolder

DEFAULT_REGION = CoreSettings().region


@dataclass(frozen=True, slots=True)
class StageTarget:
    """A stage. `tenant` is the default tenant, which the local stack alone has, and so are `base_url`, where its API
    answers, and `operator_credentials`, which sign operators' requests to the API.
    """

    settings: CoreSettings
    tenant: str | None = None
    credentials: Credentials | None = None
    base_url: str | None = None
    operator_credentials: Credentials | None = None

    def connect(self) -> Database:
        """The stage's tables. Opens no connection before its first request."""
        return Database.connect(self.settings, self.credentials)


def find_target(state: Path, stage: str | None, region: str) -> StageTarget:
    """The deployed stage `stage` in `region`, else the stack that runs from `state`.

    Raises CommandError when no stack runs from there.
    """
    if stage:
        return StageTarget(_deployed(stage, region))
    return _local_stack(state)


def stand_in_for_graph(state: Path) -> str:
    """URL of the stand-in for Meta's Graph API that the stack from `state` runs. Raises CommandError without one."""
    from local.state.folder import StateFolder

    url = _announcement(StateFolder(state)).endpoints.get("graph")
    if not url:
        raise CommandError(f"The stack of '{state}' runs no stand-in for WhatsApp.")
    return url


def _deployed(stage: str, region: str) -> CoreSettings:
    return CoreSettings(
        stage=stage,
        region=region,
        pepper_secret_name=PEPPERS.physical_name(stage),
        sealing_secret_name=SEALING_KEYS.physical_name(stage),
    )


def _local_stack(folder: Path) -> StageTarget:
    from local.aws.account import (  # a command on a deployed stage needs no module of the local stack
        OPERATOR_ACCESS_KEY,
        REGION,
        STAGE,
    )
    from local.state.folder import StateFolder

    state = StateFolder(folder)
    announced = _announcement(state)
    secrets = state.secrets()
    settings = CoreSettings(
        stage=STAGE,
        region=REGION,
        dynamodb_endpoint=announced.endpoints["dynamodb"],
        aws_endpoint=announced.endpoints.get("aws"),
        queue_base=announced.endpoints.get("queues", ""),
        peppers=secrets.pepper,
        sealing_keys=secrets.sealing_key,
    )
    return StageTarget(
        settings,
        announced.tenant_id,
        Credentials("local", "local"),
        announced.base_url,
        Credentials(OPERATOR_ACCESS_KEY, secrets.operator_secret),
    )


def _announcement(state: "StateFolder") -> "Announcement":
    """What the stack of `state` announces. Raises CommandError when none runs."""
    from local.state.folder import Announcement

    try:
        return Announcement.model_validate_json(state.announcement.read_bytes())
    except FileNotFoundError:
        advice = "Start one with 'callmissed dev', name its folder with --state, or a deployed stage with --stage."
        raise CommandError(f"No stack runs from '{state.folder}'. {advice}") from None
    except ValueError:
        raise CommandError(f"'{state.announcement}' can't be read.") from None
