"""The functions: deployed, in a state to answer, and with the snapshots that the stage asks for."""

from collections.abc import Iterator
from typing import Any

from callmissed.platform.functions import FUNCTIONS, Function
from cli.checks.finding import CheckedStage, Finding, Severity, ok
from cli.function_versions import LIVE


def check_functions(stage: CheckedStage) -> Iterator[Finding]:
    """Whether every declared function is there, and ready."""
    found = {function.name: live_configuration(stage, function) for function in FUNCTIONS}
    if missing := [name for name, configuration in found.items() if configuration is None]:
        text = f"not deployed: {', '.join(missing)}"
        yield Finding("functions", Severity.BLOCKS, text, stage.deploy("--all"))
    deployed = {name: configuration for name, configuration in found.items() if configuration}
    states = {name: each.get("State", "Active") for name, each in deployed.items()}
    if failed := [name for name, state in states.items() if state == "Failed"]:
        yield Finding("functions", Severity.BLOCKS, f"failed: {', '.join(failed)}", stage.deploy("--all"))
    waiting = [name for name, state in states.items() if state not in ("Active", "Failed")]
    if waiting:
        text = f"not active: {', '.join(waiting)}; Lambda refuses the next call and then makes them active"
        wake = f"aws lambda invoke --function-name {stage.named(waiting[0])}:{LIVE} /dev/stdout"
        yield Finding("functions", Severity.ADVICE, text, wake)
    if not missing and not waiting and not failed:
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


def live_configuration(stage: CheckedStage, function: Function) -> dict[str, Any] | None:
    """How Lambda runs the function's live version; None without one. Raises botocore's errors."""
    client = stage.clients("lambda")
    try:
        return client.get_function_configuration(FunctionName=function.physical_name(stage.name), Qualifier=LIVE)
    except client.exceptions.ResourceNotFoundException:
        return None
