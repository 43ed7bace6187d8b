"""Which stage a command works on: the desk's, by its state folder, or a deployed one, by its name."""

from dataclasses import dataclass
from pathlib import Path

from botocore.credentials import Credentials

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.platform import names
from callmissed.settings import CoreSettings
from cli.failures import CommandError

DEFAULT_STATE = Path(".callmissed")
DEFAULT_REGION = CoreSettings().region


@dataclass(frozen=True, slots=True)
class Target:
    """A stage. `tenant` is the desk's own; a deployed stage has no tenant that is meant when none is named."""

    settings: CoreSettings
    tenant: str | None = None
    credentials: Credentials | None = None

    def connect(self) -> Database:
        """The stage's tables. Opens no connection before its first request."""
        settings = self.settings
        dynamodb = DynamoDB(settings.region, settings.dynamodb_endpoint, credentials=self.credentials)
        return Database(dynamodb, settings.stage)


def find_target(state: Path, stage: str | None, region: str) -> Target:
    """The deployed stage `stage` in `region`, else the stack that runs from `state`.

    Raises CommandError when no stack runs from there.
    """
    if stage:
        return Target(_deployed(stage, region))
    return _desk(state)


def _deployed(stage: str, region: str) -> CoreSettings:
    return CoreSettings(
        stage=stage,
        region=region,
        pepper_secret_arn=names.pepper_secret(stage),
        sealing_secret_arn=names.sealing_secret(stage),
    )


def _desk(folder: Path) -> Target:
    from local.settings import STAGE  # the desk's modules are of no use to a deployed stage
    from local.state import Announcement, State

    state = State(folder)
    try:
        announced = Announcement.model_validate_json(state.announcement.read_bytes())
    except FileNotFoundError:
        advice = "Start one with 'callmissed dev', name its folder with --state, or a deployed stage with --stage."
        raise CommandError(f"No stack runs from '{folder}'. {advice}") from None
    except ValueError:
        raise CommandError(f"'{state.announcement}' can't be read.") from None
    secrets = state.secrets()
    settings = CoreSettings(
        stage=STAGE,
        region="us-east-1",
        dynamodb_endpoint=announced.endpoints["dynamodb"],
        aws_endpoint=announced.endpoints.get("aws"),
        queue_base=announced.endpoints.get("queues", ""),
        peppers=secrets.pepper,
        sealing_keys=secrets.sealing_key,
    )
    return Target(settings, announced.tenant_id, Credentials("local", "local"))
