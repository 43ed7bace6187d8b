"""`make cost`, the second part: what an idle stage costs a month, and what comes with every request.

Both are read from the CloudFormation templates, so a new alarm or secret changes the page. A type of resource that is
not in `MONTHLY` or `FREE` is an error: somebody has to look up its price.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.cost import DOCUMENT, PRICES, between_markers, markdown_table
from infra.bundling.assets import ROOT
from infra.config import StageConfig

Templates = Mapping[str, Mapping[str, Any]]
Properties = Mapping[str, Any]

MINUTES = 730 * 60
"""Minutes of a month, as AWS counts it."""

FREE_DASHBOARD_METRICS = 50
_WOKEN_MB = 1769
_MILLION = 1_000_000
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
WITH_FIREWALL = {"api": {"Resources": {"Firewall": {"Type": "AWS::WAFv2::WebACL"}}}}
"""As much of the templates of a stage with default settings as the price of a request depends on."""


@dataclass(frozen=True, slots=True)
class StandingPrices:
    """Prices of one region in USD, and the assumptions of the model. `bench/prices.toml` explains each."""

    web_acl: float
    web_acl_rule: float
    web_acl_requests: float
    secret: float
    key: float
    alarm_metric: float
    dashboard: float
    custom_metric: float
    snapshot_gb_second: float
    log_gb: float
    traces: float
    queue_requests: float
    schedules: float
    lambda_requests: float
    lambda_gb_seconds: float
    receives_a_minute: float
    run_ms: float
    run_log_bytes: float
    access_log_bytes: float
    traced_share: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: what it is, how many of it, and USD."""

    title: str
    quantity: float
    cost: float


def regions(table: Mapping[str, Any]) -> dict[str, StandingPrices]:
    """Prices by region, from the price file."""
    fields = StandingPrices.__dataclass_fields__
    found: dict[str, StandingPrices] = {}
    for name, row in table["standing"].items():
        prices = table["regions"][name] | row | table["assumed"]
        found[name] = StandingPrices(**{field: prices[field] for field in fields})
    return found


def idle_month(templates: Templates, prices: StandingPrices) -> list[Line]:
    """What the stage of `templates` costs a month while nobody calls it. Raises KeyError for an unknown resource."""
    lines: dict[str, Line] = {}
    for template in templates.values():
        for resource in template["Resources"].values():
            for line in _lines(template["Resources"], resource, prices):
                before = lines.get(line.title, Line(line.title, 0, 0))
                lines[line.title] = Line(line.title, before.quantity + line.quantity, before.cost + line.cost)
    return sorted(lines.values(), key=lambda line: -line.cost)


def per_million(templates: Templates, prices: StandingPrices) -> list[Line]:
    """What comes with a million requests to the API, beside what each class of calls costs."""
    guarded = any(each["Type"] == "AWS::WAFv2::WebACL" for stack in templates.values() for each in _resources(stack))
    logs = {"access log": prices.access_log_bytes, "function's log": prices.run_log_bytes}
    traced = prices.traced_share * _MILLION
    return [
        *([Line("firewall, requests", _MILLION, prices.web_acl_requests)] if guarded else []),
        *(Line(f"{name}, GB", size / 1000, size / 1000 * prices.log_gb) for name, size in logs.items()),
        Line("traces", traced, traced / _MILLION * prices.traces),
    ]


def render(tables: Mapping[str, list[Line]]) -> str:
    """The lines of each region side by side, and their sums."""
    first = next(iter(tables.values()))
    rows = [["", "quantity", *(f"**{region} $**" for region in tables)]]
    for number, line in enumerate(first):
        rows.append([line.title, _count(line.quantity), *(f"{lines[number].cost:.2f}" for lines in tables.values())])
    rows.append(["**sum**", "", *(f"**{total(lines):.2f}**" for lines in tables.values())])
    return markdown_table(rows)


def _count(quantity: float) -> str:
    return f"{quantity:,.2f}" if quantity < 100 and quantity % 1 else f"{quantity:,.0f}"


def total(lines: list[Line]) -> float:
    """USD of all lines."""
    return sum(line.cost for line in lines)


def documented(document: str, templates: Templates) -> str:
    """`document` with the tables of `templates` between its markers."""
    table = regions(tomllib.loads(PRICES.read_text()))
    idle = {name: idle_month(templates, prices) for name, prices in table.items()}
    order = [line.title for line in next(iter(idle.values()))]
    idle = {name: sorted(lines, key=lambda line: order.index(line.title)) for name, lines in idle.items()}
    requests = {name: per_million(templates, prices) for name, prices in table.items()}
    document = between_markers(document, render(idle), "idle")
    return between_markers(document, render(requests), "requests")


def _resources(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from template["Resources"].values()


def _lines(resources: Mapping[str, Any], resource: Mapping[str, Any], prices: StandingPrices) -> Iterator[Line]:
    kind = resource["Type"]
    if kind not in FREE:
        yield from MONTHLY[kind](resources, resource.get("Properties", {}), prices)


def _web_acl(_: Mapping[str, Any], acl: Properties, prices: StandingPrices) -> Iterator[Line]:
    yield Line("firewall, with its rules", 1, prices.web_acl + len(acl["Rules"]) * prices.web_acl_rule)


def _secret(_: Mapping[str, Any], __: Properties, prices: StandingPrices) -> Iterator[Line]:
    yield Line("secrets", 1, prices.secret)


def _key(_: Mapping[str, Any], __: Properties, prices: StandingPrices) -> Iterator[Line]:
    yield Line("keys in KMS", 1, prices.key)


def _alarm(_: Mapping[str, Any], alarm: Properties, prices: StandingPrices) -> Iterator[Line]:
    metrics = sum("MetricStat" in query for query in alarm.get("Metrics", [{"MetricStat": {}}]))
    yield Line("metrics of alarms", metrics, metrics * prices.alarm_metric)
    if alarm["TreatMissingData"] == "breaching":
        yield Line("metrics of our own, published all the time", 1, prices.custom_metric)


def _dashboard(_: Mapping[str, Any], board: Properties, prices: StandingPrices) -> Iterator[Line]:
    size = dashboard_metrics(board)
    yield Line("metrics on the dashboard", size, prices.dashboard if size > FREE_DASHBOARD_METRICS else 0)


def dashboard_metrics(board: Properties) -> int:
    """Number of metrics that a dashboard shows."""
    body: Any = board["DashboardBody"]
    parts: list[Any] = [body] if isinstance(body, str) else body["Fn::Join"][1]
    widgets = json.loads("".join(part if isinstance(part, str) else "" for part in parts))["widgets"]
    return sum(len(widget["properties"].get("metrics", [])) for widget in widgets)


def _function(_: Mapping[str, Any], function: Properties, prices: StandingPrices) -> Iterator[Line]:
    if "SnapStart" in function:
        gigabytes = function["MemorySize"] / 1024
        yield Line("snapshots, GB", gigabytes, gigabytes * MINUTES * 60 * prices.snapshot_gb_second)


def _mapping(_: Mapping[str, Any], mapping: Properties, prices: StandingPrices) -> Iterator[Line]:
    if "StartingPosition" not in mapping:  # a stream's records cost Lambda nothing
        receives = prices.receives_a_minute * MINUTES
        yield Line("receives from empty queues", receives, receives / _MILLION * prices.queue_requests)


def _schedule(resources: Mapping[str, Any], schedule: Properties, prices: StandingPrices) -> Iterator[Line]:
    runs = runs_a_month(schedule["ScheduleExpression"])
    function = _called(resources, schedule["Target"]["Arn"])
    gb_seconds = prices.run_ms / 1000 * function["MemorySize"] / 1024
    each = prices.schedules + prices.lambda_requests + gb_seconds * prices.lambda_gb_seconds
    logged = runs * prices.run_log_bytes / 1e9
    yield Line("runs of schedules, with their logs", runs, runs / _MILLION * each + logged * prices.log_gb)
    if function.get("TracingConfig", {}).get("Mode") == "Active":
        yield Line("traces of schedules", runs, runs / _MILLION * prices.traces)


def _called(resources: Mapping[str, Any], target: Mapping[str, Any]) -> Properties:
    """The function behind an alias; of one that another stack has and a wake-up calls once a week, a large one."""
    if "Ref" not in target:
        return {"MemorySize": _WOKEN_MB}
    alias = resources[target["Ref"]]["Properties"]
    return resources[alias["FunctionName"]["Ref"]]["Properties"]


def runs_a_month(expression: str) -> float:
    """Runs of a schedule in a month. A `cron(…)` is taken to run once a day. Raises ValueError for another text."""
    if expression.startswith("cron("):
        return MINUTES / _UNIT_MINUTES["day"]
    found = _RATE.fullmatch(expression)
    if not found:
        raise ValueError(f"not a schedule's expression: {expression}")
    return MINUTES / (int(found[1]) * _UNIT_MINUTES[found[2]])


MONTHLY: Mapping[str, Callable[[Mapping[str, Any], Properties, StandingPrices], Iterator[Line]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::WAFv2::WebACL": _web_acl,
}

FREE = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::BasePathMapping",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::ScheduleGroup",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""Billed by use only, or not at all."""


def synthesised() -> Templates:
    """Templates of a stage with the default settings, without bundles."""
    from aws_cdk import App  # importing CDK takes seconds, also where only the arithmetic is used

    from infra.app import build

    with TemporaryDirectory() as folder:
        context = json.loads((ROOT / "cdk.json").read_text())["context"]
        app = App(outdir=folder, context=context)
        stacks = build(app, StageConfig(bundle=False))
        app.synth()
        return {name: json.loads((Path(folder) / f"{name}.template.json").read_text()) for name in stacks}


def main() -> None:
    """Write both tables into docs/cost.md."""
    DOCUMENT.write_text(documented(DOCUMENT.read_text(), synthesised()))


if __name__ == "__main__":
    main()
