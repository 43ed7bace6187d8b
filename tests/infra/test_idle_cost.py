"""What a stage costs that nobody calls, from its templates, and that the page says so."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from bench.cost import DOCUMENT, PRICES
from bench.standing import (
    FREE,
    MONTHLY,
    StandingPrices,
    documented,
    idle_month,
    per_million,
    regions,
    runs_a_month,
    total,
)
from infra.config import StageConfig
from infra.declarations import PRODUCT
from tests.support.assembly import Assembly, synthesised

MAX_IDLE_MONTH = 16.00
PRICES_BY_REGION = regions(tomllib.loads(PRICES.read_text()))
EACH_REGION = pytest.mark.parametrize("prices", PRICES_BY_REGION.values(), ids=PRICES_BY_REGION)


@EACH_REGION
def test_idle_stage_costs_less_than_16_dollars_a_month(assembly: Assembly, prices: StandingPrices) -> None:
    assert 5.00 < total(idle_month(assembly.templates, prices)) <= MAX_IDLE_MONTH


def test_page_has_the_prices_of_the_templates(assembly: Assembly) -> None:
    page = DOCUMENT.read_text()
    assert documented(page, assembly.templates) == page, "run make cost"


def test_every_type_of_resource_has_a_price_or_none(assembly: Assembly) -> None:
    kinds = {
        resource["Type"] for template in assembly.templates.values() for resource in template["Resources"].values()
    }
    assert kinds <= FREE | MONTHLY.keys()
    assert not FREE & MONTHLY.keys()


def cost_of(templates: Any, title: str) -> float:
    """USD of one line in us-east-1."""
    lines = idle_month(templates, PRICES_BY_REGION["us-east-1"])
    return sum(line.cost for line in lines if line.title.startswith(title))


def test_options_of_a_stage_show_in_the_month(assembly: Assembly, tmp_path: Path) -> None:
    other = synthesised(tmp_path, PRODUCT, firewall=False, snap_start=True).templates
    assert (cost_of(assembly.templates, "firewall"), cost_of(other, "firewall")) == (7.00, 0)
    assert cost_of(assembly.templates, "snapshots") == 0
    assert cost_of(other, "snapshots") == pytest.approx(13.84, abs=0.01), "3.5 GB"
    assert not any("WAFv2" in str(template) for template in other.values())
    titles = [line.title for line in per_million(other, PRICES_BY_REGION["us-east-1"])]
    assert "firewall, requests" not in titles


def test_alarm_on_an_expression_costs_as_much_as_its_metrics() -> None:
    queries = [{"Id": "sum", "Expression": "a+b"}, {"Id": "a", "MetricStat": {}}, {"Id": "b", "MetricStat": {}}]
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": queries, "TreatMissingData": "ignore"}}
    assert cost_of({"observability": {"Resources": {"Alarm": alarm}}}, "metrics of alarms") == pytest.approx(0.20)


def test_unknown_resource_has_no_price() -> None:
    with pytest.raises(KeyError):
        idle_month(
            {"data": {"Resources": {"Gateway": {"Type": "AWS::EC2::NatGateway"}}}}, PRICES_BY_REGION["us-east-1"]
        )


@pytest.mark.parametrize(
    ("expression", "runs"), [("rate(1 minute)", 43_800), ("rate(7 days)", 730 / 168), ("cron(30 20 * * ? *)", 730 / 24)]
)
def test_runs_of_a_schedule(expression: str, runs: float) -> None:
    assert runs_a_month(expression) == pytest.approx(runs)


def test_other_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="at"):
        runs_a_month("at(2026-11-20T09:00:00)")


def test_default_stage_has_its_firewall() -> None:
    assert StageConfig().firewall is True
