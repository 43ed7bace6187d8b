import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import PlanError
from rehearsal.templates.assembly import CloudAssembly, StackTemplate, read_assembly
from rehearsal.templates.plan import make_plan

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "work"}}
ARN = "arn:aws:sqs:us-east-1:123456789012:work"


def assembly(**stacks: dict[str, Any]) -> CloudAssembly:
    templates = [StackTemplate(name, f"callmissed-{name}", stack, True) for name, stack in stacks.items()]
    return CloudAssembly(templates, {})


def exporting(name: str) -> dict[str, Any]:
    output = {"Value": {"Fn::GetAtt": ["Work", "Arn"]}, "Export": {"Name": name}}
    return {"Resources": {"Work": QUEUE}, "Outputs": {"WorkArn": output}}


def using(value: Any) -> dict[str, Any]:
    return {"Resources": {"User": {"Type": "AWS::Events::Rule", "Properties": {"Name": "rule", "Value": value}}}}


def resolved(value: Any) -> Any:
    """`value` as a stack sees it that comes after one with a queue."""
    plan = make_plan(assembly(first=exporting("first:Work"), second=using(value)))
    return plan.of("AWS::Events::Rule")[0].properties.get("Value")


def problems(value: Any) -> list[str]:
    with pytest.raises(PlanError) as error:
        resolved(value)
    return list(error.value.problems)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::ImportValue": "first:Work"}, ARN),
        ({"Fn::GetStackOutput": {"StackName": "callmissed-first", "OutputName": "WorkArn"}}, ARN),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}, "a-us-east-1"),
        ({"Fn::Sub": "${AWS::AccountId}/${!literal}"}, "123456789012/${literal}"),
        ({"Fn::Sub": ["${name}", {"name": {"Fn::ImportValue": "first:Work"}}]}, ARN),
        ({"Fn::Select": [1, {"Fn::Split": [":", "a:b"]}]}, "b"),
        ({"Ref": "AWS::NoValue"}, None),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"Fn::Base64": "a"}, "YQ=="),
    ],
)
def test_reference_is_resolved(value: Any, expected: Any) -> None:
    assert resolved(value) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"Fn::ImportValue": "first:Gone"}, "no stack before exports 'first:Gone'"),
        (
            {"Fn::GetStackOutput": {"StackName": "callmissed-first", "OutputName": "Gone"}},
            "no stack before has the output 'callmissed-first.Gone'",
        ),
        ({"Ref": "Gone"}, "the stack has no resource or parameter 'Gone'"),
        ({"Fn::GetAtt": ["Gone", "Arn"]}, "the stack has no resource 'Gone'"),
        ({"Fn::Sub": "${Gone.Arn}"}, "the stack has no resource 'Gone'"),
        ({"Fn::Select": [3, ["a"]]}, "a list of 1 has no item 3"),
    ],
)
def test_reference_that_leads_nowhere_is_named_with_its_path(value: Any, problem: str) -> None:
    assert problems(value) == [f"second.Resources.User.Properties.Value: {problem}"]


def test_every_problem_is_found() -> None:
    found = problems([{"Ref": "A"}, {"a": {"Ref": "B"}}])
    assert [line.partition(": ")[0] for line in found] == [
        "second.Resources.User.Properties.Value[0]",
        "second.Resources.User.Properties.Value[1].a",
    ]


def test_attribute_that_a_type_lacks_is_named() -> None:
    stack = {"Resources": {"Work": QUEUE, **using({"Fn::GetAtt": ["Work", "StreamArn"]})["Resources"]}}
    with pytest.raises(PlanError, match=r"'Work' .AWS::SQS::Queue. has no attribute 'StreamArn'"):
        make_plan(assembly(only=stack))


def test_export_of_a_later_stack_does_not_exist_yet() -> None:
    with pytest.raises(PlanError, match="no stack before exports"):
        make_plan(assembly(first=using({"Fn::ImportValue": "second:Work"}), second=exporting("second:Work")))


def test_circle_is_found() -> None:
    def rule(other: str) -> dict[str, Any]:
        return {"Type": "AWS::Events::Rule", "DependsOn": other}

    with pytest.raises(PlanError, match="only: circular dependency"):
        make_plan(assembly(only={"Resources": {"A": rule("B"), "B": rule("A")}}))


def test_resources_come_after_what_they_refer_to() -> None:
    user = using({"Ref": "Work"})["Resources"]
    plan = make_plan(assembly(only={"Resources": {**user, "Work": QUEUE}}))
    assert [resource.logical_id for resource in plan.resources] == ["Work", "User"]
    assert plan.with_arn(ARN) is plan.resources[0]


def test_assembly_is_read_in_the_order_of_deployment(tmp_path: Path) -> None:
    def stack(name: str, *needs: str) -> dict[str, Any]:
        (tmp_path / f"{name}.json").write_text('{"Resources": {}}')
        properties = {"templateFile": f"{name}.json", "stackName": f"callmissed-{name}", "terminationProtection": True}
        return {"type": "aws:cloudformation:stack", "properties": properties, "dependencies": list(needs)}

    artifacts = {"a": stack("a", "b"), "b": stack("b"), "c": {"type": "cdk:tree", "properties": {}}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    assert [(each.id, each.terminates) for each in read_assembly(tmp_path).stacks] == [("b", False), ("a", False)]
