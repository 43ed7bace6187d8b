"""Models on Amazon Bedrock: whether the inference function's role may call those of the catalog."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from callmissed.catalog.model import REGION_VARIABLE, Catalog, is_live, is_signed
from callmissed.platform.functions import BEDROCK_MODELS_VARIABLE, INFERENCE
from callmissed_ai.services.models import has_endpoint
from cli.checks.finding import CheckedStage, Finding, Severity, is_denied, ok, unseen
from cli.checks.functions import live_configuration

_SUBJECT = "bedrock"


def allowed_models(stage: CheckedStage) -> frozenset[str] | Finding:
    """What the role may call, as the stage was deployed. Raises botocore's errors."""
    try:
        configuration = live_configuration(stage, INFERENCE) or {}
    except ClientError as error:
        if is_denied(error):
            return unseen(_SUBJECT, error)
        raise
    return frozenset(configuration.get("Environment", {}).get("Variables", {}).get(BEDROCK_MODELS_VARIABLE, "").split())


def check_models(stage: CheckedStage, catalog: Catalog, keys: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the role may call each model whose requests it signs, at providers that are switched on."""
    there = {REGION_VARIABLE: "set by Lambda", **keys}
    signed = {name for name, row in catalog.providers.items() if is_signed(row, keys) and is_live(row, there)}
    wanted = {
        route.upstream_id
        for model in catalog.models.values()
        for route in model.routes
        if route.provider in signed and has_endpoint(model)
    }
    if not wanted:
        return
    allowed = allowed_models(stage)
    if isinstance(allowed, Finding):
        yield allowed
    elif missing := sorted(wanted - allowed):
        setting = json.dumps(sorted(wanted | allowed))
        remedy = f'Set "bedrock_models": {setting} in cdk.json, then {stage.deploy("api")}'
        yield Finding(_SUBJECT, Severity.BLOCKS, f"the role may not call {', '.join(missing)}", remedy)
    else:
        yield ok(_SUBJECT, f"the role may call {', '.join(sorted(wanted))}")
