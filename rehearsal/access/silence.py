"""What would be silent in a stage: alarms on no metric or without a recipient, and sources that never start."""

from collections.abc import Iterator
from typing import Any

from rehearsal.templates.identities import function_arn, function_name
from rehearsal.templates.plan import DeploymentPlan


def silent_resources(plan: DeploymentPlan) -> list[str]:
    """One line for each resource that would do nothing, and for each queue that Lambda would refuse to read."""
    return [*_alarms(plan), *_switched_off(plan), *_short_visibility(plan)]


def _alarms(plan: DeploymentPlan) -> Iterator[str]:
    """CloudWatch accepts an alarm on any metric: on one that nobody publishes, it waits for good."""
    published = _dimensions(plan)
    for alarm in plan.of("AWS::CloudWatch::Alarm"):
        for name, value in _watched(alarm.properties):
            if value not in published.get(name, ()):
                yield f"{alarm.path}: no metric has the dimension {name} with the value '{value}'"
        if not alarm.properties.get("AlarmActions") or alarm.properties.get("ActionsEnabled") is False:
            yield f"{alarm.path}: the alarm notifies nobody"


def _dimensions(plan: DeploymentPlan) -> dict[str, set[str]]:
    """Values of the dimensions of all metrics that the stage's resources publish, by the dimension's name."""
    functions = plan.of("AWS::Lambda::Function")
    variables = [function.properties.get("Environment", {}).get("Variables", {}) for function in functions]
    return {
        "ApiName": {api.properties["Name"] for api in plan.of("AWS::ApiGateway::RestApi")},
        "FunctionName": {function.name for function in functions},
        "QueueName": {queue.name for queue in plan.of("AWS::SQS::Queue")},
        "Resource": {alias.identity.ref.removeprefix(function_arn("")) for alias in plan.of("AWS::Lambda::Alias")},
        "service": {each["POWERTOOLS_SERVICE_NAME"] for each in variables if "POWERTOOLS_SERVICE_NAME" in each},
    }


def _watched(properties: Any) -> Iterator[tuple[str, str]]:
    """Name and value of each dimension of an alarm, also of one on an expression over several metrics."""
    parts = [each["MetricStat"]["Metric"] for each in properties.get("Metrics", []) if "MetricStat" in each]
    for part in (properties, *parts):
        yield from ((each["Name"], each["Value"]) for each in part.get("Dimensions", []))


def _switched_off(plan: DeploymentPlan) -> Iterator[str]:
    for source in plan.of("AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Lambda::EventSourceMapping"):
        if source.properties.get("State") == "DISABLED" or source.properties.get("Enabled") is False:
            yield f"{source.path}: is switched off"


def _short_visibility(plan: DeploymentPlan) -> Iterator[str]:
    """Lambda makes no mapping for a queue whose messages reappear while the function may still work on them."""
    functions = {function.name: function for function in plan.of("AWS::Lambda::Function")}
    for mapping in plan.of("AWS::Lambda::EventSourceMapping"):
        queue = plan.with_arn(mapping.properties["EventSourceArn"])
        function = functions[function_name(mapping.properties["FunctionName"])]
        if queue is None or queue.type != "AWS::SQS::Queue":
            continue
        visible, timeout = queue.properties.get("VisibilityTimeout", 30), function.properties.get("Timeout", 3)
        if visible < timeout:
            yield f"{queue.path}: a message is hidden for {visible} s, but {function.name} may take {timeout} s"
