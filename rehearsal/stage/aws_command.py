"""What the guide's `aws` commands do in the engines: names and parameters of operations come from botocore's model."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError

from rehearsal.stage.engines import Engines

_TABLE_WAITER = "wait"
_GLOBAL_OPTIONS = ("query", "output", "region", "profile", "cli-binary-format")


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a command prints, and its exit status: 254 for what AWS refuses and 252 for a usage error, as of the CLI."""

    status: int = 0
    output: str = ""
    error: str = ""


class _UsageError(Exception):
    """The real CLI would not know this command."""


def run_command(engines: Engines, words: Sequence[str]) -> CommandAnswer:
    """Do what `aws` does with `words`, in the engines."""
    try:
        if words[:2] == ["s3", "rb"]:
            return _remove_bucket(engines, words[-1].removeprefix("s3://"), force="--force" in words)
        return CommandAnswer(output=_call(engines, words[0], words[1], words[2:]))
    except _UsageError as error:
        return CommandAnswer(252, error=f"aws: {error}\n")
    except (ClientError, WaiterError) as error:
        return CommandAnswer(254, error=f"{error}\n")


def _call(engines: Engines, service: str, operation: str, words: Sequence[str]) -> str:
    client = engines.client(service)
    if operation == "wait":
        return _wait(engines, client, words)
    name = next((each for each in client.meta.service_model.operation_names if _kebab(each) == operation), None)
    if name is None:
        raise _UsageError(f"{service} has no operation '{operation}'")
    answer = _operation(engines, client, xform_name(name))(**_parameters(client, name, words))
    options = dict(_options(words))
    answer = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    query = options.get("query")
    return _shown(jmespath.search(query, answer) if query else answer, options.get("output") or "json")


def _wait(engines: Engines, client: Any, words: Sequence[str]) -> str:
    given = _parameters(client, _TABLE_WAITER, words[1:])
    client.get_waiter(xform_name(words[0].replace("-", "_"))).wait(**given)
    engines.backups.admit("wait", given["TableName"])
    return ""


def _operation(engines: Engines, client: Any, name: str) -> Callable[..., Any]:
    """The client's operation, or that of the stand-in for backups."""
    operation = engines.backups.operation(name) or getattr(client, name)

    def admitted(**given: Any) -> Any:
        engines.backups.admit(name, given.get("TableName", ""))
        return operation(**given)

    return admitted


def _parameters(client: Any, operation: str, words: Sequence[str]) -> dict[str, Any]:
    members = _members(client, operation)
    given: dict[str, Any] = {}
    for option, value in _options(words):
        if option in _GLOBAL_OPTIONS:
            continue
        positive = option.removeprefix("no-")
        name = next((each for each in members if _kebab(each) in (option, positive)), None)
        if name is None:
            raise _UsageError(f"unknown option --{option}")
        given[name] = _value(members[name], value, positive=_kebab(name) == option)
    return given


def _members(client: Any, operation: str) -> Mapping[str, Any]:
    """The parameters of an operation by name, with their shapes."""
    if operation == _TABLE_WAITER:
        operation = "DescribeTable"
    return client.meta.service_model.operation_model(operation).input_shape.members


def _options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Options with their values; the values of one option that follow each other are joined by a space."""
    name, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            if name:
                yield name, " ".join(values) if values else None
            name, values = word.removeprefix("--"), []
        else:
            values.append(word)
    if name:
        yield name, " ".join(values) if values else None


def _value(shape: Any, text: str | None, *, positive: bool) -> Any:
    if shape.type_name == "boolean" and text is None:
        return positive
    if shape.type_name in ("integer", "long"):
        return int(text or 0)
    if shape.type_name == "list":
        return [_value(shape.member, each, positive=True) for each in (text or "").split(" ")]
    if shape.type_name == "structure":
        return _structure(shape, text or "")
    return text


def _structure(shape: Any, text: str) -> dict[str, Any]:
    """A structure in the AWS CLI's shorthand: `Key=name,Values=a,b`."""
    pairs = re.findall(r"(\w+)=(.*?)(?=,\w+=|$)", text)
    members = {name: value.split(",") if shape.members[name].type_name == "list" else value for name, value in pairs}
    return {
        name: value.lower() == "true" if shape.members[name].type_name == "boolean" else value
        for name, value in members.items()
    }


def _kebab(name: str) -> str:
    return xform_name(name, "-")


def _shown(value: Any, output: str) -> str:
    if output == "text":
        flat = cast("list[Any]", value) if isinstance(value, list) else [value]
        text = "\t".join("None" if each is None else str(each) for each in flat)
    else:
        text = json.dumps(value, indent=4, default=str)
    return text + "\n"


def _remove_bucket(engines: Engines, name: str, *, force: bool) -> CommandAnswer:
    s3 = engines.client("s3")
    if force:
        for found in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=found["Key"])
    s3.delete_bucket(Bucket=name)
    return CommandAnswer(output=f"remove_bucket: {name}\n")
