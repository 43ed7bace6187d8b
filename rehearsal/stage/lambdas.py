"""Functions, versions and aliases in moto's Lambda: what the command line lists and deletes. No call runs there."""

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from rehearsal.errors import StageError
from rehearsal.templates.plan import PlannedResource

if TYPE_CHECKING:
    from rehearsal.stage.engines import Engines

_CONFIGURED = ("Handler", "MemorySize", "Runtime", "Timeout")


def create_function(engines: "Engines", function: PlannedResource) -> None:
    """Create the function without a version."""
    lambdas = engines.client("lambda")
    configured = _configuration(engines, function)
    lambdas.create_function(FunctionName=function.name, Code={"ZipFile": _code(function)}, **configured)


def change_function(engines: "Engines", function: PlannedResource) -> None:
    """Give the function another code and configuration; its versions stay as they are."""
    lambdas = engines.client("lambda")
    lambdas.update_function_configuration(FunctionName=function.name, **_configuration(engines, function))
    lambdas.update_function_code(FunctionName=function.name, ZipFile=_code(function))


def publish_version(engines: "Engines", version: PlannedResource) -> None:
    """Publish a version, which has the planned version's logical id as its description."""
    name = version.properties["FunctionName"]
    engines.client("lambda").publish_version(FunctionName=name, Description=version.logical_id)


def delete_version(engines: "Engines", version: PlannedResource) -> None:
    """Delete the version alone."""
    name = version.properties["FunctionName"]
    engines.client("lambda").delete_function(FunctionName=name, Qualifier=_number(engines, name, version.logical_id))


def look_for_version(engines: "Engines", version: PlannedResource) -> bool:
    """Whether the function has the version."""
    return version.logical_id in published(engines, version.properties["FunctionName"])


def create_alias(engines: "Engines", alias: PlannedResource) -> None:
    """Create the alias."""
    engines.client("lambda").create_alias(**_alias(engines, alias))


def change_alias(engines: "Engines", alias: PlannedResource) -> None:
    """Move the alias to its version."""
    engines.client("lambda").update_alias(**_alias(engines, alias))


def delete_alias(engines: "Engines", alias: PlannedResource) -> None:
    """Delete the alias."""
    engines.client("lambda").delete_alias(FunctionName=alias.properties["FunctionName"], Name=alias.name)


def look_for_alias(engines: "Engines", alias: PlannedResource) -> Any:
    """The alias."""
    return engines.client("lambda").get_alias(FunctionName=alias.properties["FunctionName"], Name=alias.name)


def published(engines: "Engines", function: str) -> dict[str, str]:
    """Numbers of a function's versions by the logical id of the planned version."""
    found = engines.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    return {each["Description"]: each["Version"] for each in found if each["Version"] != "$LATEST"}


def _alias(engines: "Engines", alias: PlannedResource) -> dict[str, str]:
    name = alias.properties["FunctionName"]
    number = _number(engines, name, alias.properties["FunctionVersion"])
    return {"FunctionName": name, "Name": alias.name, "FunctionVersion": number}


def _number(engines: "Engines", function: str, logical_id: str) -> str:
    numbers = published(engines, function)
    if logical_id not in numbers:
        raise StageError(f"{function} has no version {logical_id}")
    return numbers[logical_id]


def _configuration(engines: "Engines", function: PlannedResource) -> dict[str, Any]:
    given = function.properties
    configured = {name: given[name] for name in _CONFIGURED if name in given}
    variables = given.get("Environment", {}).get("Variables", {})
    return {**configured, "Role": _role(engines, given["Role"]), "Environment": {"Variables": variables}}


def _role(engines: "Engines", arn: str) -> str:
    """The role's ARN. Moto creates no function without its role; what the role allows is the gate's concern."""
    iam, name = engines.client("iam"), arn.rpartition("/")[2]
    if name not in {role["RoleName"] for role in iam.list_roles(MaxItems=1000)["Roles"]}:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    return arn


def _code(function: PlannedResource) -> bytes:
    """An archive that differs where the template's code or configuration differs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("template.json", json.dumps(dict(function.properties), sort_keys=True))
    return buffer.getvalue()
