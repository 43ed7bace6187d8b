"""The functions: deployed, in a state to answer, and with the snapshots that the stage asks for."""

from collections.abc import Iterator
from typing import Any

from callmissed.platform.functions import FUNCTIONS
from cli.checks.finding import CheckedStage, Finding, Severity, ok

_ALIAS = "live"


def check_functions(stage: CheckedStage) -> Iterator[Finding]:
    """Whether every declared function is there, and ready."""
    found = {function.name: _configuration(stage, function.physical_name(stage.name)) for function in FUNCTIONS}
    if missing := [name for name, configuration in found.items() if configuration is None]:
        text = f"not deployed: {', '.join(missing)}"
        yield Finding("functions", Severity.BLOCKS, text, stage.deploy("--all"))
    deployed = {name: configuration for name, configuration in found.items() if configuration}
    waiting = [name for name, each in deployed.items() if each.get("State", "Active") != "Active"]
    if waiting:
        text = f"not active: {', '.join(waiting)}; Lambda refuses the next call and then makes them active"
        wake = f"aws lambda invoke --function-name {stage.named(waiting[0])}:{_ALIAS} /dev/stdout"
        yield Finding("functions", Severity.ADVICE, text, wake)
    if not missing and not waiting:
        yield ok("functions", f"{len(deployed)} deployed and active")
    yield from _snapshots(stage, deployed)


def _snapshots(stage: CheckedStage, deployed: dict[str, Any]) -> Iterator[Finding]:
    """`OptimizationStatus` is `Off` where the region, or the account, has no SnapStart for Python."""
    asked = {name: each.get("SnapStart", {}) for name, each in deployed.items()}
    asked = {name: each for name, each in asked.items() if each.get("ApplyOn") == "PublishedVersions"}
    without = [name for name, each in asked.items() if each.get("OptimizationStatus") != "On"]
    if without:
        text = f"no snapshot in {stage.region}: {', '.join(without)}"
        remedy = f'Set "snap_start": false in cdk.json, then {stage.deploy("api")}'
        yield Finding("snapshots", Severity.ADVICE, text, remedy)
    elif asked:
        yield ok("snapshots", f"of {', '.join(asked)}")


def _configuration(stage: CheckedStage, name: str) -> dict[str, Any] | None:
    client = stage.clients("lambda")
    try:
        return client.get_function_configuration(FunctionName=name, Qualifier=_ALIAS)
    except client.exceptions.ResourceNotFoundException:
        return None
