"""A second deployment while the stage is used: nobody's call is cut off, and the version before stays to go back to."""

import aiohttp

from rehearsal.errors import SmokeError
from rehearsal.runtime.deployment import Deployment
from rehearsal.runtime.web_adapter import WebEnvironment
from rehearsal.smoke.operator import operating
from rehearsal.smoke.product import CHAT, ApiClient, asking
from rehearsal.stage.lambdas import published
from rehearsal.stage.update import update_resources
from rehearsal.templates.assembly import CloudAssembly
from rehearsal.templates.plan import DeploymentPlan

_STREAM = asking("sandbox:slow 300") | {"stream": True}


async def update(deployment: Deployment, plan: DeploymentPlan, assembly: CloudAssembly) -> None:
    """Deploy `plan` over what runs, in the middle of a stream. Raises SmokeError when a caller is cut off."""
    before = _published(deployment)
    async with operating(deployment.engines) as operator, aiohttp.ClientSession() as session:
        caller = ApiClient(session, deployment.url, await operator.create_tenant())
        headers = {"Authorization": f"Bearer {caller.tenant.live_key}"}
        async with session.post(caller.url + CHAT, json=_STREAM, headers=headers) as answer:
            begun = await answer.content.readany()
            await _move(deployment, plan, assembly)
            await caller.call("POST", CHAT, asking("Hello"))
            _expect_new_version(deployment)
            await _expect_end(answer, begun)
    after = _published(deployment)
    if deleted := [name for name, versions in before.items() if not versions <= after[name]]:
        raise SmokeError(f"the update deleted the version before of {', '.join(deleted)}")


def _published(deployment: Deployment) -> dict[str, set[str]]:
    return {name: {*published(deployment.engines, name)} for name in deployment.environments}


async def _move(deployment: Deployment, plan: DeploymentPlan, assembly: CloudAssembly) -> None:
    deleted = update_resources(deployment.engines, deployment.plan, plan)
    deployment.deploy(plan, assembly)
    await deployment.delete_versions(deleted)


def _expect_new_version(deployment: Deployment) -> None:
    [inference] = [each for each in deployment.environments.values() if isinstance(each, WebEnvironment)]
    if not inference.calls:
        raise SmokeError("a request after the update did not reach a new version")


async def _expect_end(answer: aiohttp.ClientResponse, begun: bytes) -> None:
    try:
        text = begun + await answer.read()
    except aiohttp.ClientError as error:
        raise SmokeError(f"a stream that ran during the update broke off: {error}") from error
    if not text.rstrip().endswith(b"data: [DONE]"):
        raise SmokeError(f"a stream that ran during the update has no end: {text[-200:]!r}")
