"""What a command needs to work on one stage."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.credentials import Credentials

from callmissed.aws.database import Database
from callmissed.clock import Clock, system_clock
from callmissed.settings import CoreSettings
from cli.errors import CommandError
from cli.output import Output

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient


_LOCAL_REASON = "on the local stack"


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One stage, for the time of one command. `tenant_id` is the tenant that the caller named, or the local stack's.

    `reason` is why the caller changes something; `base_url` and `operator_credentials` are the target's.
    """

    settings: CoreSettings
    database: Database
    output: Output
    tenant_id: str | None
    clock: Clock = system_clock
    credentials: Credentials | None = None
    reason: str | None = None
    base_url: str | None = None
    operator_credentials: Credentials | None = None

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

    async def operate(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Change something by a route of operators, below the path of all tenants. Raises CommandError."""
        return await self.operate_on_platform(method, f"/tenants{path}", **body)

    async def operate_on_platform(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Change something by a route of operators, below `/api/v1/admin`. Raises CommandError."""
        reason = self.reason or (_LOCAL_REASON if self.base_url else None)
        if reason is None:
            raise CommandError("Say why with --reason: the tenant's audit log keeps it.")
        return await self.ask_as_operator(method, path, **body, reason=reason)

    async def ask_as_operator(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Ask a route of operators that changes nothing, below `/api/v1/admin`. Raises CommandError."""
        from cli.operator_api import OperatorApi, deployed_url  # boto3 takes half a second

        api = OperatorApi(self.base_url or deployed_url(self.settings), self.settings.region, self.operator_credentials)
        return await api.call(method, path, body)

    async def operate_on_tenant(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """As `operate`, below the path of the tenant to work on."""
        return await self.operate(method, f"/{quote(self.tenant, safe='')}{path}", **body)

    def sqs(self) -> "SQSClient":
        """A client for the stage's queues."""
        from callmissed.aws.clients import client  # boto3 takes half a second, which few commands need

        return client("sqs", self.settings, self.credentials)

    def lambdas(self) -> "LambdaClient":
        """A client for the stage's functions."""
        from callmissed.aws.clients import client

        return client("lambda", self.settings, self.credentials)
