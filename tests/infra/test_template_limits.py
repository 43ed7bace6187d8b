"""Every template, role and environment has room left under the limits of AWS."""

import json
from collections import defaultdict

import pytest

from tests.support.assembly import Assembly

MAX_RESOURCES = 400
"""CloudFormation allows 500 in a stack."""

MAX_TEMPLATE_BYTES = 900_000
"""CloudFormation allows 1 MB."""

MAX_POLICY_BYTES = 8 * 1024
"""IAM allows 10,240 characters in all inline policies of a role, white space not counted."""

MAX_ENVIRONMENT_BYTES = 3 * 1024
"""Lambda allows 4 KB."""

ACCOUNT_ID = "123456789012"


@pytest.fixture(params=["assembly", "large_assembly"])
def any_assembly(request: pytest.FixtureRequest) -> Assembly:
    return request.getfixturevalue(request.param)


def test_stack_has_few_resources_and_a_small_template(any_assembly: Assembly) -> None:
    for name, template in any_assembly.templates.items():
        assert len(template["Resources"]) <= MAX_RESOURCES, name
        assert len(json.dumps(template)) <= MAX_TEMPLATE_BYTES, name


def test_policies_of_a_role_are_small(any_assembly: Assembly) -> None:
    sizes: defaultdict[str, int] = defaultdict(int)
    for stack, _, policy in any_assembly.resources("AWS::IAM::Policy"):
        for role in policy["Properties"]["Roles"]:
            sizes[f"{stack}/{role['Ref']}"] += len(resolved(policy["Properties"]["PolicyDocument"]))
    assert len(sizes) > 10
    assert {role: size for role, size in sizes.items() if size > MAX_POLICY_BYTES} == {}


def test_environment_is_small(any_assembly: Assembly) -> None:
    for function in any_assembly.properties("AWS::Lambda::Function"):
        variables = function["Environment"]["Variables"]
        size = sum(len(name) + len(resolved(value)) for name, value in variables.items())
        assert size <= MAX_ENVIRONMENT_BYTES, function["FunctionName"]


def resolved(value: object) -> str:
    """`value` as JSON without white space, with references about as long as ARNs and account ids are."""
    if isinstance(value, dict):
        if "Fn::Join" in value:
            return "".join(map(resolved, value["Fn::Join"][1]))
        if "Ref" in value or "Fn::GetAtt" in value or "Fn::GetStackOutput" in value:
            return ACCOUNT_ID if str(value.get("Ref", "")).startswith("AWS::") else "x" * 120
        return "{" + ",".join(f'"{name}":{resolved(inner)}' for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(resolved, value)) + "]"
    return json.dumps(value)


def test_long_policy_would_be_found() -> None:
    statement = {"Action": ["dynamodb:GetItem"], "Resource": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::AccountId"}]]}}
    assert len(resolved([statement] * 200)) > MAX_POLICY_BYTES
