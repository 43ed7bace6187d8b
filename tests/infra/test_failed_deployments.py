"""A deployment that fails leaves nothing that stops the next one."""

import pytest

from tests.support.assembly import Assembly

RETAINING = ("DeletionPolicy", "UpdateReplacePolicy")


def test_nothing_survives_a_failed_first_deployment(assembly: Assembly) -> None:
    """`Retain` also keeps what a failed deployment has made, and a second attempt finds the names taken."""
    kept = [
        f"{stack}/{logical_id}"
        for stack, template in assembly.templates.items()
        for logical_id, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    ]
    assert kept == []


@pytest.mark.parametrize("kind", ["AWS::Scheduler::ScheduleGroup", "AWS::SQS::Queue", "AWS::Events::EventBus"])
def test_what_holds_no_data_goes_with_its_stack(assembly: Assembly, kind: str) -> None:
    for _, _, resource in assembly.resources(kind):
        assert all(resource.get(policy, "Delete") == "Delete" for policy in RETAINING)
