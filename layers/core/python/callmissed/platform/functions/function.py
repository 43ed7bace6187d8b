"""A deployable function and a schedule, as the slices declare them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callmissed.platform.resources import Resource

READ = ("dynamodb:GetItem", "dynamodb:Query")
READ_WRITE = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query")
IDEMPOTENT_ANSWERS = ("dynamodb:PutItem", "dynamodb:UpdateItem")
"""Actions, on the table `idempotency`, of a function that supports Idempotency-Key."""
ADMIT_KEYS = ("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
"""Actions of admission on the table `keys`; PutItem and DeleteItem are for pepper rotation."""


BEDROCK_MODELS_VARIABLE = "CALLMISSED_BEDROCK_MODELS"
"""Variable of a function with the models on Bedrock that its role may call, between spaces; for the doctor."""


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function.

    `web_app` names an ASGI application that runs under uvicorn behind the Lambda Web Adapter and streams; `handler` a
    plain Lambda handler; exactly one of them is set. `dependencies` names the third-party layer, which
    `layers/deps/<name>.toml` describes; `layers` names folders of `layers/` that it needs beside the core. `tables`
    maps a table's name to the DynamoDB actions that its role allows on the table, `indexes` to those on the table's
    indexes. `needs` lists the other resources, `writes` those of
    them whose content it also replaces. `follows` names the table whose stream calls the function; the queues
    that call it name it as their consumer. `sends_to` names the queues that it may write to. `snap_start` says that it
    gets a snapshot where the stage pays for snapshots: of a function for whose start a caller waits, often enough to
    keep it in use. `model_actions` are the actions that its role allows on the stage's models on Bedrock. `settings`
    names the fields of `CoreSettings` whose values the operator sets for a stage. `sends_mail` says that its role may
    send from the stage's address through SES, where the stage sends so.
    """

    name: str
    slice: str
    web_app: str | None = None
    handler: str | None = None
    dependencies: str = "worker"
    layers: tuple[str, ...] = ()
    memory_mb: int = 512
    timeout_seconds: int = 30
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    needs: tuple[Resource, ...] = ()
    writes: tuple[Resource, ...] = ()
    follows: str | None = None
    sends_to: tuple[str, ...] = ()
    snap_start: bool = False
    settings: tuple[str, ...] = ()
    model_actions: tuple[str, ...] = ()
    sends_mail: bool = False

    @property
    def failures(self) -> str:
        """Name of the queue of the failed work that came from no queue: a schedule's or a stream's."""
        return f"{self.name}-failures"

    def physical_name(self, stage: str) -> str:
        """Name of the Lambda function in `stage`."""
        return f"callmissed-{stage}-{self.name}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function called on a schedule by EventBridge Scheduler with `{"schedule": name, "at": ISO time}`."""

    name: str
    function: str
    expression: str
    meaning: str
