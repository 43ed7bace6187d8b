"""What a command needs to work on one stage."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.credentials import Credentials

from callmissed.audit.events import Actor, ActorKind
from callmissed.aws.database import Database
from callmissed.aws.queues import SqsQueue
from callmissed.aws.secrets import pepper_ring
from callmissed.clock import Clock, system_clock
from callmissed.keys.management import KeyManager
from callmissed.platform.queues import MAILS, physical_queue_name
from callmissed.settings import CoreSettings
from cli.errors import CommandError
from cli.output import Output

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One stage, for the time of one command. `tenant_id` is the tenant that the caller named, or the local stack's."""

    settings: CoreSettings
    database: Database
    output: Output
    tenant_id: str | None
    clock: Clock = system_clock
    credentials: Credentials | None = None

    @property
    def stage(self) -> str:
        """Name of the stage."""
        return self.settings.stage

    @property
    def tenant(self) -> str:
        """The tenant to work on. Raises CommandError when none is named."""
        if self.tenant_id is None:
            raise CommandError("Name the tenant with --tenant.")
        return self.tenant_id

    def keys(self, *, hashing: bool = False) -> KeyManager:
        """The stage's keys. Only with `hashing` are the peppers read, which new secrets need."""
        pepper = pepper_ring(self.settings)[0] if hashing else b""
        return KeyManager(self.database, pepper)

    @property
    def operator(self) -> Actor:
        """Who acts, in the audit log."""
        return Actor(ActorKind.OPERATOR, "command-line")

    def sqs(self) -> "SQSClient":
        """A client for the stage's queues."""
        from callmissed.aws.clients import client  # boto3 takes half a second, which few commands need

        return client("sqs", self.settings, self.credentials)

    def mails(self) -> SqsQueue:
        """The stage's queue of mails. Raises ClientError where a deployed stage has none."""
        settings, name = self.settings, physical_queue_name(self.stage, MAILS.name)
        if not settings.queue_base:
            url = self.sqs().get_queue_url(QueueName=name)["QueueUrl"]
            settings = replace(settings, queue_base=url.removesuffix(f"/{name}"))
        return SqsQueue(settings, MAILS, self.credentials)

    def lambdas(self) -> "LambdaClient":
        """A client for the stage's functions."""
        from callmissed.aws.clients import client

        return client("lambda", self.settings, self.credentials)
