"""The bundles under AWS's runtime client: what works, and what a damaged role or permission breaks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.errors import SmokeError
from rehearsal.runtime.deployment import deployed
from rehearsal.smoke.product import smoke
from rehearsal.stage.engines import Engines
from rehearsal.templates.assembly import CloudAssembly
from rehearsal.templates.plan import make_plan
from tests.support.rehearsal.damage import damaged, without, without_action


async def failure(
    assembly: CloudAssembly, damage: Callable[[CloudAssembly], object], engines: Engines, folder: Path
) -> str:
    """What the smoke test says of a damaged stage."""
    broken = damaged(assembly, damage)
    async with deployed(make_plan(broken), broken, engines, folder) as deployment:
        with pytest.raises(SmokeError) as error:
            await smoke(deployment)
    return str(error.value)


async def test_narrowed_role_is_found_by_its_first_request(
    stage_assembly: CloudAssembly, engines: Engines, tmp_path: Path
) -> None:
    said = await failure(stage_assembly, without_action("inference", "dynamodb:UpdateItem"), engines, tmp_path)
    assert "refused by the role: callmissed-rehearsal-inference: dynamodb:UpdateItem on " in said


async def test_function_that_api_gateway_may_not_call_answers_500(
    stage_assembly: CloudAssembly, engines: Engines, tmp_path: Path
) -> None:
    said = await failure(stage_assembly, without("AWS::Lambda::Permission", "inference"), engines, tmp_path)
    assert said.startswith("GET /v1/models answers 500")
    assert "may not call" in said
